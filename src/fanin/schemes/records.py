"""Distributions as plain data, for JSON and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

from fanin.errors import FaninError
from fanin.schemes.distributions import Distribution, is_distribution

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in get_args(Distribution)}


def to_record(distribution: Distribution) -> dict[str, Any]:
    """Return a distribution as plain data; those inside of it too.

    Example:
        >>> from fanin.schemes.distributions import Normal, PerGate
        >>> to_record(PerGate((Normal(0.0, 0.02),)))
        {'kind': 'PerGate', 'gates': [{'kind': 'Normal', 'mean': 0.0, 'sd': 0.02}]}
    """
    inside = {field.name: _plain(getattr(distribution, field.name)) for field in fields(distribution)}
    return {"kind": type(distribution).__name__, **inside}


def from_record(record: dict[str, Any]) -> Distribution:
    """Return the distribution that `to_record` wrote.

    Raises:
        FaninError: It is not a record of a distribution.

    Example:
        >>> from_record({"kind": "Normal", "mean": 0.0, "sd": 0.02})
        Normal(mean=0.0, sd=0.02)
    """
    try:
        inside = {name: _whole(value) for name, value in record.items() if name != "kind"}
        return _KINDS[record["kind"]](**inside)
    except (AttributeError, KeyError, TypeError):
        raise FaninError(f"{record} is no distribution.", expected=f"one of {', '.join(_KINDS)}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return to_record(value) if is_distribution(value) else value


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_whole(each) for each in value)
    return from_record(value) if isinstance(value, dict) else value
