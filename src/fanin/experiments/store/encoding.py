"""Curves as JSON text that gives back every bit, and that SQLite's own JSON functions can read."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping

_NAN = 0x7FF8000000000000


def encode_curves(curves: Mapping[str, Iterable[float]]) -> str:
    """Return curves as one JSON object of arrays.

    A finite value is the shortest decimal that reads back as the same double. JSON has no others, so
    they are strings: "inf", "-inf", "nan", and "nan:" with its 16 hexadecimal digits for a NaN of
    another sign or payload (x86 makes negative ones).

    Args:
        curves: One value an epoch for each logged quantity.

    Example:
        >>> encode_curves({"loss": (0.1, float("inf")), "accuracy": (0.5,)})
        '{"loss":[0.1,"inf"],"accuracy":[0.5]}'
    """
    plain = {name: [_plain(float(value)) for value in curve] for name, curve in curves.items()}
    return json.dumps(plain, separators=(",", ":"), allow_nan=False)


def decode_curves(text: str) -> dict[str, tuple[float, ...]]:
    """Return the curves that `encode_curves` wrote.

    Example:
        >>> decode_curves('{"loss":[0.1,"inf"]}')
        {'loss': (0.1, inf)}
    """
    return {name: tuple(_value(plain) for plain in curve) for name, curve in json.loads(text).items()}


def _plain(value: float) -> float | str:
    if math.isfinite(value):
        return value
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return "nan" if bits == _NAN else f"nan:{bits:016x}"


def _value(plain: float | str) -> float:
    if isinstance(plain, str) and plain.startswith("nan:"):
        return struct.unpack("<d", struct.pack("<Q", int(plain[4:], 16)))[0]
    return float(plain)
