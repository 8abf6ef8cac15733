"""The second moment of a distribution's values, as a closed form."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np
from scipy import linalg

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import (
    ICNR,
    Chrono,
    Constant,
    DeltaOrthogonal,
    Factor,
    HadamardIdentity,
    Identity,
    Normal,
    Orthogonal,
    Paired,
    PerGate,
    SoftplusInverse,
    Sparse,
    TiledOrthogonal,
    TruncatedNormal,
    Uniform,
    Values,
)
from fanin.schemes.matrices import matrices
from fanin.schemes.pairs import folded, growth


@singledispatch
def second_moment(distribution: Any, parameter: Parameter) -> float:
    """Return E|w|^2, averaged over the values of a parameter.

    Example:
        >>> second_moment(Uniform(-1.0, 1.0), Parameter("w", (3, 3)))
        0.3333333333333333
    """
    raise FaninError(
        f"The moments of {distribution!r} are unknown.", expected="a distribution of fanin.schemes"
    )


@second_moment.register
def _(distribution: Constant, parameter: Parameter) -> float:
    return distribution.value**2


@second_moment.register
def _(distribution: Normal, parameter: Parameter) -> float:
    return distribution.mean**2 + distribution.sd**2


@second_moment.register
def _(distribution: TruncatedNormal, parameter: Parameter) -> float:
    if parameter.complex:  # the modulus is cut: its square is exponential up to high^2
        cut = distribution.high**2
        return abs(distribution.mean) ** 2 + distribution.sd**2 * (1 - cut / math.expm1(cut))
    mean, variance = truncated_moments(distribution.low, distribution.high)
    shifted = distribution.mean + distribution.sd * mean
    return shifted**2 + distribution.sd**2 * variance


@functools.cache  # models ask for one pair of bounds, again and again
def truncated_moments(low: float, high: float) -> tuple[float, float]:
    """Return mean and variance of a standard normal cut at two bounds."""
    from scipy.stats import truncnorm  # takes as long to load as half of fanin

    mean, variance = truncnorm.stats(low, high, moments="mv")
    return float(mean), float(variance)


@second_moment.register
def _(distribution: Uniform, parameter: Parameter) -> float:
    low, high = distribution.low, distribution.high
    if parameter.complex:
        return high * high / 2
    return (low * low + low * high + high * high) / 3


@second_moment.register
def _(distribution: Orthogonal, parameter: Parameter) -> float:
    # The longer side's vectors are orthonormal: min(m, n) ones among m n values.
    inside = matrices(parameter)
    return distribution.gain**2 / max(inside.outputs, inside.inputs * math.prod(inside.taps))


@second_moment.register
def _(distribution: DeltaOrthogonal | Identity, parameter: Parameter) -> float:
    inside = matrices(parameter)
    return distribution.gain**2 / max(inside.outputs, inside.inputs) / math.prod(inside.taps)


@second_moment.register
def _(distribution: TiledOrthogonal, parameter: Parameter) -> float:
    inside = matrices(parameter)
    return distribution.gain**2 / max(inside.tiled) * len(inside.tile) / math.prod(inside.taps)


@second_moment.register
def _(distribution: Sparse, parameter: Parameter) -> float:
    inside = matrices(parameter)
    return distribution.sd**2 * min(1.0, distribution.count / (inside.inputs * math.prod(inside.taps)))


@second_moment.register
def _(distribution: PerGate, parameter: Parameter) -> float:
    return sum(second_moment(gate, parameter) for gate in distribution.gates) / len(distribution.gates)


@second_moment.register
def _(distribution: Values, parameter: Parameter) -> float:
    return float(np.mean(np.square(distribution.values)))


@second_moment.register
def _(distribution: SoftplusInverse, parameter: Parameter) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(64)
    low, high = math.log(distribution.low), math.log(distribution.high)
    steps = np.exp(low + (high - low) * (nodes + 1) / 2)
    return float(np.sum(weights * (steps + np.log(-np.expm1(-steps))) ** 2) / 2)


@second_moment.register
def _(distribution: HadamardIdentity, parameter: Parameter) -> float:
    inside = matrices(parameter)
    widens = inside.outputs > inside.inputs
    of_matrix = 2.0 ** -(inside.outputs - 1).bit_length() if widens else 1 / inside.inputs
    return distribution.gain**2 * of_matrix / math.prod(inside.taps)


@second_moment.register
def _(distribution: ICNR, parameter: Parameter) -> float:
    axis = parameter.axes.index("out")
    shape = tuple(n // distribution.copies if i == axis else n for i, n in enumerate(parameter.shape))
    return second_moment(distribution.kernel, replace(parameter, shape=shape))


@second_moment.register
def _(distribution: Paired, parameter: Parameter) -> float:
    return second_moment(distribution.kernel, folded(distribution, parameter)) * growth(distribution)


@second_moment.register
def _(distribution: Chrono, parameter: Parameter) -> float:
    last = distribution.longest - 1
    log = math.log(last)
    square = (last * (log * log - 2 * log + 2) - 2) / (last - 1) if last > 1 else 0.0
    names = parameter.gate_names
    opened = sum(name in ("forget", "update", "input") for name in names) / max(len(names), 1)
    return opened * square * parameter.shape[-1] / math.prod(parameter.shape)


@second_moment.register
def _(distribution: Factor, parameter: Parameter) -> float:
    """Singular values have no closed form; those of one matrix of up to 256 rows are within a percent."""
    inside = matrices(parameter)
    sides = inside.outputs, inside.inputs * math.prod(inside.taps)
    shared, width = reversed(sides) if distribution.shared_in else sides
    size = min(width, 256)
    noise = np.random.default_rng(0).standard_normal((size, size)) * distribution.alpha / math.sqrt(size)
    values = linalg.svdvals(noise + distribution.beta * np.eye(size))
    kept = values[: max(1, round(size * shared / distribution.heads / width))]
    return float(np.mean(kept)) / width
