"""The documented, versioned shape of what a gain says of itself (`to_dict`, `--json`)."""

from __future__ import annotations

import math
from typing import TypedDict

SCHEMA = "fanin.gain/1"


class DriftRecord(TypedDict):
    """The second moment in each layer from the start on: a low, a middle and a high path. None: infinite."""

    depth: int
    width: int | None
    low: list[float | None]
    middle: list[float | None]
    high: list[float | None]


class GainRecord(TypedDict):
    """All that a gain says; None is an infinite or unknown number."""

    schema: str
    name: str
    mean: float
    second_moment: float
    variance: float
    derivative_mean: float
    derivative_second_moment: float | None
    gain: float
    variance_gain: float | None
    chi_1: float | None
    slope: float
    stability: str
    kinks: list[float]
    jumps: list[float]
    drift: DriftRecord
    source: str
    notes: list[str]


def finite(value: float | None) -> float | None:
    """Return a number that JSON can say, or None.

    Example:
        >>> finite(1.5), finite(float("inf")), finite(None)
        (1.5, None, None)
    """
    return value if value is not None and math.isfinite(value) else None
