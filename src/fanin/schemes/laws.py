"""What a plan's parameters are distributed by, as far as signals need it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np

from fanin.graph.parameter import Parameter
from fanin.graph.signal import Law, Weight
from fanin.schemes.distributions import (
    ICNR,
    Chrono,
    Constant,
    DeltaOrthogonal,
    Distribution,
    Identity,
    Normal,
    Orthogonal,
    PerGate,
    SoftplusInverse,
    TiledOrthogonal,
    TruncatedNormal,
    Uniform,
    Values,
)
from fanin.schemes.fitting import gate_of, gates_axis
from fanin.schemes.matrices import matrices
from fanin.schemes.moments import second_moment, truncated_moments
from fanin.schemes.plan import InitPlan


def laws_of(plan: InitPlan) -> Mapping[str, Weight]:
    """Return the law of every parameter that a plan draws, by name.

    Args:
        plan: What is drawn.

    Example:
        >>> from fanin.graph.inventory import Inventory
        >>> from fanin.schemes.plan import make_plan
        >>> kernel = Parameter("fc", (8, 4), "kernel", ("out", "in"))
        >>> law = laws_of(make_plan(Inventory((kernel,)), "he_normal"))["fc"].law
        >>> law.name, round(law.variance, 6)
        ('truncated normal', 0.5)
    """
    return {row.parameter.name: _weight(row.parameter, row.distribution) for row in plan}


def _weight(parameter: Parameter, distribution: Distribution) -> Weight:
    parts, axis = (), 0
    if isinstance(distribution, PerGate):
        one = gate_of(distribution, parameter)
        parts, axis = tuple(law_of(gate, one) for gate in distribution.gates), gates_axis(parameter)
    elif isinstance(distribution, Chrono):
        parts, axis = _gates(distribution, parameter), len(parameter.shape) - 1
    law = law_of(distribution, parameter)
    return Weight(parameter.name, parameter.shape, law, parts, axis, source="plan")


def law_of(distribution: Distribution, parameter: Parameter) -> Law:
    """Return mean and variance of the values of a parameter.

    Args:
        distribution: What they are drawn from.
        parameter: Its shape and the meaning of its axes.

    Example:
        >>> law_of(Uniform(0.0, 1.0), Parameter("w", (3, 3)))
        Law(mean=0.5, variance=0.08333333333333331, name='uniform', orthogonal=False)
    """
    mean = 0.0 if parameter.complex else float(mean_of(distribution, parameter))
    variance = max(second_moment(distribution, parameter) - mean**2, 0.0)
    return Law(mean, variance, _name(distribution), _is_orthogonal(distribution))


def _name(distribution: Distribution) -> str:
    """Return a distribution's name in words: "truncated normal" for TruncatedNormal."""
    name = type(distribution).__name__
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return name if name.isupper() else spaced


def _is_orthogonal(distribution: Distribution) -> bool:
    return isinstance(distribution, Orthogonal | DeltaOrthogonal | TiledOrthogonal | Identity)


@singledispatch
def mean_of(distribution: Any, parameter: Parameter) -> float:
    """Return the mean of a parameter's values; 0 for what is symmetric around it.

    Example:
        >>> mean_of(Constant(1.0), Parameter("scale", (3,))), mean_of(Normal(0.0, 1.0), Parameter("w", (3,)))
        (1.0, 0.0)
    """
    return 0.0


@mean_of.register
def _(distribution: Constant, parameter: Parameter) -> float:
    return distribution.value


@mean_of.register
def _(distribution: Normal, parameter: Parameter) -> float:
    return distribution.mean


@mean_of.register
def _(distribution: TruncatedNormal, parameter: Parameter) -> float:
    return distribution.mean + distribution.sd * truncated_moments(distribution.low, distribution.high)[0]


@mean_of.register
def _(distribution: Uniform, parameter: Parameter) -> float:
    return (distribution.low + distribution.high) / 2


@mean_of.register
def _(distribution: Values, parameter: Parameter) -> float:
    return float(np.mean(distribution.values))


@mean_of.register
def _(distribution: Identity, parameter: Parameter) -> float:
    inside = matrices(parameter)
    return distribution.gain / max(inside.outputs, inside.inputs) / math.prod(inside.taps)


@mean_of.register
def _(distribution: SoftplusInverse, parameter: Parameter) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(64)
    low, high = math.log(distribution.low), math.log(distribution.high)
    steps = np.exp(low + (high - low) * (nodes + 1) / 2)
    return float(np.sum(weights * (steps + np.log(-np.expm1(-steps)))) / 2)


@mean_of.register
def _(distribution: PerGate, parameter: Parameter) -> float:
    one = gate_of(distribution, parameter)
    return sum(mean_of(gate, one) for gate in distribution.gates) / len(distribution.gates)


@mean_of.register
def _(distribution: ICNR, parameter: Parameter) -> float:
    return mean_of(distribution.kernel, parameter)


@mean_of.register
def _(distribution: Chrono, parameter: Parameter) -> float:
    gates = _gates(distribution, parameter)
    return sum(gate.mean for gate in gates) / max(len(gates), 1)


def _gates(distribution: Chrono, parameter: Parameter) -> tuple[Law, ...]:
    """Return the laws of gates' biases: log U(1, longest - 1), or minus it; only the first row is not 0."""
    last = distribution.longest - 1
    log, share = math.log(last), parameter.shape[-1] / math.prod(parameter.shape)
    mean = (last * log / (last - 1) - 1) * share if last > 1 else 0.0
    square = (last * (log * log - 2 * log + 2) - 2) / (last - 1) * share if last > 1 else 0.0
    opened, none = Law(mean, max(square - mean**2, 0.0), "chrono"), Law(0.0, 0.0, "chrono")
    laws = {"forget": opened, "update": opened, "input": replace(opened, mean=-mean)}
    return tuple(laws.get(name, none) for name in parameter.gate_names)
