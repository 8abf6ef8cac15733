"""The second moment of a distribution's values, as a closed form."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

from scipy.stats import truncnorm

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import (
    Constant,
    DeltaOrthogonal,
    Identity,
    Normal,
    Orthogonal,
    PerGate,
    Sparse,
    TruncatedNormal,
    Uniform,
)
from fanin.schemes.matrices import matrices


@singledispatch
def second_moment(distribution: Any, parameter: Parameter) -> float:
    """Return E[w^2], averaged over the values of a parameter.

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
    mean, variance = truncnorm.stats(distribution.low, distribution.high, moments="mv")
    shifted = distribution.mean + distribution.sd * float(mean)
    return shifted**2 + distribution.sd**2 * float(variance)


@second_moment.register
def _(distribution: Uniform, parameter: Parameter) -> float:
    low, high = distribution.low, distribution.high
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
def _(distribution: Sparse, parameter: Parameter) -> float:
    inside = matrices(parameter)
    return distribution.sd**2 * min(1.0, distribution.count / (inside.inputs * math.prod(inside.taps)))


@second_moment.register
def _(distribution: PerGate, parameter: Parameter) -> float:
    return sum(second_moment(gate, parameter) for gate in distribution.gates) / len(distribution.gates)
