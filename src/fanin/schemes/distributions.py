"""Distributions as data: what a parameter is drawn from, printable and comparable."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, get_args

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter

TRUNCATED_SD = 0.87962566103423978
"""Sd of a standard normal truncated at +-2; truncated schemes divide by it to keep the variance."""
COMPLEX_TRUNCATED_SD = math.sqrt(1 - 4 / math.expm1(4))
"""The same of a complex standard normal whose modulus is truncated at 2."""


@dataclass(frozen=True)
class Constant:
    """Every value the same."""

    value: float


@dataclass(frozen=True)
class Normal:
    """Normal with a mean and a standard deviation."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _check_sd(self.sd)


@dataclass(frozen=True)
class TruncatedNormal:
    """Normal(mean, sd) conditioned on mean + sd * [low, high]; complex values on |w - mean| < sd * high."""

    mean: float
    sd: float
    low: float = -2.0
    high: float = 2.0

    def __post_init__(self) -> None:
        _check_sd(self.sd)


@dataclass(frozen=True)
class Uniform:
    """Uniform on [low, high); complex values on the disk of radius high, where low = -high."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise FaninError(
                f"A range goes from {self.low:g} to {self.high:g}.", expected="the lower end first"
            )


@dataclass(frozen=True)
class SoftplusInverse:
    """The inverse of softplus, log(e^x - 1), of values x log-uniform on [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise FaninError(
                f"Steps cannot lie in [{self.low:g}, {self.high:g}].", expected="0 < low <= high"
            )


@dataclass(frozen=True)
class Values:
    """Given values along the last axis, the same in every row; one value is for all."""

    values: tuple[float, ...]


@dataclass(frozen=True)
class Orthogonal:
    """gain times a Haar-uniform (semi-)orthogonal matrix; each gate and each group of its own."""

    gain: float = 1.0


@dataclass(frozen=True)
class DeltaOrthogonal:
    """gain times a Haar-orthogonal matrix at the centre tap of a convolution, 0 elsewhere."""

    gain: float = 1.0


@dataclass(frozen=True)
class TiledOrthogonal:
    """gain times a Haar-orthogonal matrix over as many middle taps as the stride, 0 elsewhere.

    The patches that these taps see tile the image, so that a strided convolution keeps lengths as a whole.
    """

    gain: float = 1.0


@dataclass(frozen=True)
class Identity:
    """gain times a (partial) identity matrix, at the centre tap of a convolution."""

    gain: float = 1.0


@dataclass(frozen=True)
class HadamardIdentity:
    """gain times a partial identity, or a Hadamard matrix / 2^(m/2) of which it takes a part to widen."""

    gain: float = 1.0


@dataclass(frozen=True)
class Sparse:
    """Normal(0, sd) for `count` randomly chosen inputs of each output unit, 0 for the others."""

    count: int
    sd: float

    def __post_init__(self) -> None:
        _check_sd(self.sd)
        if self.count < 0:
            raise FaninError(f"A unit cannot have {self.count} inputs.", expected="a count, not negative")


@dataclass(frozen=True)
class ICNR:
    """One kernel for all sub-pixels: every output is drawn once and repeated `copies` times.

    In the order "channel_first" a channel's copies are neighbours, as torch's PixelShuffle has it; in
    "block_first" they are one channel count apart, as TensorFlow's depth_to_space has it.
    """

    kernel: Distribution
    copies: int
    order: str = "channel_first"


@dataclass(frozen=True)
class Paired:
    """A kernel w between units that come in pairs, each the other's negative: [[w, -w], [-w, w]].

    Args:
        kernel: What w is drawn from, a matrix of half the size.
        inputs: Values in a row that belong to one input unit; 0 where inputs are not paired: [w; -w].
        outputs: Whether outputs are paired; if not, [w, -w].
    """

    kernel: Distribution
    inputs: int
    outputs: bool


@dataclass(frozen=True)
class Chrono:
    """Biases of gates: forget (or update) log U(1, longest - 1), input the negative of it, others 0."""

    longest: float

    def __post_init__(self) -> None:
        if self.longest < 2:
            raise FaninError(f"The longest dependency is {self.longest:g}.", expected="2 steps or more")


@dataclass(frozen=True)
class Factor:
    """One of the two factors of a product alpha Z + beta I, Z_ij ~ N(0, 1 / d).

    With alpha Z + beta I = U S V^T (singular values falling), the first factor is U S^(1/2) and the second
    V S^(1/2), as many columns of them as the parameter has room for. Both are drawn under the name `of`, so
    that they belong together.

    Args:
        first: Whether it is the first factor.
        product: What the product is for: "query_key", or "value_out", whose second factor is summed over
            its inputs.
        of: Name that both factors are drawn under.
        heads: Products of their own, packed into the axis that is summed over.
        alpha: Scale of the noise.
        beta: Scale of the identity, may be negative.
    """

    first: bool
    product: str
    of: str
    heads: int
    alpha: float
    beta: float

    @property
    def shared_in(self) -> bool:
        """Whether the product sums over the kernel's inputs."""
        return self.product == "value_out" and not self.first


@dataclass(frozen=True)
class PerGate:
    """Another distribution for each of the matrices packed into a parameter."""

    gates: tuple[Distribution, ...]


Distribution = (
    Constant
    | Normal
    | TruncatedNormal
    | Uniform
    | SoftplusInverse
    | Values
    | Orthogonal
    | DeltaOrthogonal
    | TiledOrthogonal
    | Identity
    | HadamardIdentity
    | Sparse
    | ICNR
    | Paired
    | Chrono
    | Factor
    | PerGate
)

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in get_args(Distribution)}


def _check_sd(sd: float) -> None:
    if not 0 <= sd < math.inf:
        raise FaninError(f"A standard deviation is {sd}.", expected="a finite number, not negative")


def truncated(sd: float, parameter: Parameter) -> TruncatedNormal:
    """Return the normal cut at two sd whose values have a given sd.

    References:
        The sd of a complex standard normal with its modulus cut at 2 is sqrt(1 - 4 / (e^4 - 1)).
    """
    return TruncatedNormal(0.0, sd / (COMPLEX_TRUNCATED_SD if parameter.complex else TRUNCATED_SD))


def centered_uniform(sd: float, parameter: Parameter) -> Uniform:
    """Return the uniform distribution around 0 whose values have a given sd: E|w|^2 = r^2 / 3, or r^2 / 2."""
    reach = math.sqrt(2 if parameter.complex else 3) * sd
    return Uniform(-reach, reach)


def is_random(distribution: Distribution) -> bool:
    """Return whether a distribution's values depend on the seed.

    Example:
        >>> is_random(Normal(0.0, 1.0)), is_random(Constant(1.0))
        (True, False)
    """
    if isinstance(distribution, PerGate):
        return any(is_random(gate) for gate in distribution.gates)
    if isinstance(distribution, ICNR | Paired):
        return is_random(distribution.kernel)
    return not isinstance(distribution, Constant | Values | Identity | HadamardIdentity)


def is_distribution(thing: Any) -> bool:
    """Return whether something is one of the distributions."""
    return isinstance(thing, Distribution)


def to_record(distribution: Distribution) -> dict[str, Any]:
    """Return a distribution as plain data.

    Example:
        >>> to_record(Normal(0.0, 0.02))
        {'kind': 'Normal', 'mean': 0.0, 'sd': 0.02}
    """
    record = {field.name: getattr(distribution, field.name) for field in fields(distribution)}
    if isinstance(distribution, PerGate):
        record["gates"] = [to_record(gate) for gate in distribution.gates]
    if isinstance(distribution, ICNR | Paired):
        record["kernel"] = to_record(distribution.kernel)
    if isinstance(distribution, Values):
        record["values"] = list(distribution.values)
    return {"kind": type(distribution).__name__, **record}


def from_record(record: dict[str, Any]) -> Distribution:
    """Return the distribution that `to_record` wrote.

    Raises:
        FaninError: It is not a record of a distribution.

    Example:
        >>> from_record({"kind": "Normal", "mean": 0.0, "sd": 0.02})
        Normal(mean=0.0, sd=0.02)
    """
    arguments = dict(record)
    try:
        kind = _KINDS[arguments.pop("kind")]
        if kind is PerGate:
            arguments["gates"] = tuple(from_record(gate) for gate in arguments["gates"])
        if kind in (ICNR, Paired):
            arguments["kernel"] = from_record(arguments["kernel"])
        if kind is Values:
            arguments["values"] = tuple(arguments["values"])
        return kind(**arguments)
    except (TypeError, KeyError):
        raise FaninError(f"{record} is no distribution.", expected=f"one of {', '.join(_KINDS)}") from None
