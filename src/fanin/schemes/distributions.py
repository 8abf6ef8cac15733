"""Distributions as data: what a parameter is drawn from, printable and comparable."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fanin.errors import FaninError

TRUNCATED_SD = 0.87962566103423978
"""Sd of a standard normal truncated at +-2; truncated schemes divide by it to keep the variance."""


@dataclass(frozen=True)
class Constant:
    """Every value the same."""

    value: float


@dataclass(frozen=True)
class Normal:
    """Normal with a mean and a standard deviation."""

    mean: float
    sd: float


@dataclass(frozen=True)
class TruncatedNormal:
    """Normal(mean, sd) conditioned on mean + sd * [low, high]."""

    mean: float
    sd: float
    low: float = -2.0
    high: float = 2.0


@dataclass(frozen=True)
class Uniform:
    """Uniform on [low, high)."""

    low: float
    high: float


@dataclass(frozen=True)
class Orthogonal:
    """gain times a Haar-uniform (semi-)orthogonal matrix; each gate and each group of its own."""

    gain: float = 1.0


@dataclass(frozen=True)
class DeltaOrthogonal:
    """gain times a Haar-orthogonal matrix at the centre tap of a convolution, 0 elsewhere."""

    gain: float = 1.0


@dataclass(frozen=True)
class Identity:
    """gain times a (partial) identity matrix, at the centre tap of a convolution."""

    gain: float = 1.0


@dataclass(frozen=True)
class Sparse:
    """Normal(0, sd) for `count` randomly chosen inputs of each output unit, 0 for the others."""

    count: int
    sd: float


@dataclass(frozen=True)
class PerGate:
    """Another distribution for each of the matrices packed into a parameter."""

    gates: tuple[Distribution, ...]


Distribution = (
    Constant | Normal | TruncatedNormal | Uniform | Orthogonal | DeltaOrthogonal | Identity | Sparse | PerGate
)

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        Constant,
        Normal,
        TruncatedNormal,
        Uniform,
        Orthogonal,
        DeltaOrthogonal,
        Identity,
        Sparse,
        PerGate,
    )
}


def is_random(distribution: Distribution) -> bool:
    """Return whether a distribution's values depend on the seed.

    Example:
        >>> is_random(Normal(0.0, 1.0)), is_random(Constant(1.0))
        (True, False)
    """
    if isinstance(distribution, PerGate):
        return any(is_random(gate) for gate in distribution.gates)
    return not isinstance(distribution, Constant | Identity)


def is_distribution(thing: Any) -> bool:
    """Return whether something is one of the distributions."""
    return type(thing).__name__ in _KINDS and isinstance(thing, _KINDS[type(thing).__name__])


def to_record(distribution: Distribution) -> dict[str, Any]:
    """Return a distribution as plain data.

    Example:
        >>> to_record(Normal(0.0, 0.02))
        {'kind': 'Normal', 'mean': 0.0, 'sd': 0.02}
    """
    if isinstance(distribution, PerGate):
        return {"kind": "PerGate", "gates": [to_record(gate) for gate in distribution.gates]}
    return {"kind": type(distribution).__name__, **asdict(distribution)}


def from_record(record: dict[str, Any]) -> Distribution:
    """Return the distribution that `to_record` wrote.

    Raises:
        FaninError: It is not a record of a distribution.

    Example:
        >>> from_record({"kind": "Normal", "mean": 0.0, "sd": 0.02})
        Normal(mean=0.0, sd=0.02)
    """
    fields = dict(record)
    try:
        kind = _KINDS[fields.pop("kind")]
        if kind is PerGate:
            return PerGate(tuple(from_record(gate) for gate in fields["gates"]))
        return kind(**fields)
    except (TypeError, KeyError):
        raise FaninError(f"{record} is no distribution.", expected=f"one of {', '.join(_KINDS)}") from None
