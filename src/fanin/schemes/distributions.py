"""Distributions as data: what a parameter is drawn from, printable and comparable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fanin.errors import FaninError


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

    Of every sixteen units the first eighths may be pairs and the rest stand alone.

    Args:
        kernel: What w is drawn from, with one place for each pair and for each unit that stands alone.
        inputs: Values in a row that belong to one input unit; 0 where inputs are not paired: [w; -w].
        outputs: Whether outputs are paired; if not, [w, -w].
        input_eighths: Of the inputs, if they are paired.
        output_eighths: Of the outputs, if they are paired.
        alone: What weights of inputs that stand alone are multiplied by, where other inputs are paired.
    """

    kernel: Distribution
    inputs: int
    outputs: bool
    input_eighths: int = 8
    output_eighths: int = 8
    alone: float = 1.0

    def __post_init__(self) -> None:
        for eighths in (self.input_eighths, self.output_eighths):
            if eighths not in range(1, 9):
                raise FaninError(f"{eighths} eighths of the units cannot be paired.", expected="1 to 8")


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


def _check_sd(sd: float) -> None:
    if not 0 <= sd < math.inf:
        raise FaninError(f"A standard deviation is {sd}.", expected="a finite number, not negative")


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
