"""Whether a distribution can be drawn for a parameter, before anything is."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import singledispatch
from typing import Any

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.schemes.complex import check_complex
from fanin.schemes.distributions import (
    ICNR,
    Chrono,
    DeltaOrthogonal,
    Factor,
    HadamardIdentity,
    Identity,
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
from fanin.schemes.pairs import folded


@singledispatch
def check_fits(distribution: Any, parameter: Parameter) -> None:
    """Refuse a distribution that cannot be drawn for a parameter, so that no model is filled by half.

    Args:
        distribution: What the parameter is to be drawn from.
        parameter: Its shape and the meaning of its axes.

    Raises:
        FaninError: It needs axes that nobody knows, or does not fit them.

    Example:
        >>> from fanin.schemes.distributions import Normal
        >>> check_fits(Normal(0.0, 1.0), Parameter("w", (3,)))
    """


@check_fits.register
def _(distribution: TruncatedNormal | Uniform | SoftplusInverse, parameter: Parameter) -> None:
    if parameter.complex:
        check_complex(distribution)


@check_fits.register
def _(
    distribution: Orthogonal | DeltaOrthogonal | TiledOrthogonal | Identity | HadamardIdentity | Sparse,
    parameter: Parameter,
) -> None:
    matrices(parameter)


@check_fits.register
def _(distribution: PerGate, parameter: Parameter) -> None:
    one = gate_of(distribution, parameter)
    for gate in distribution.gates:
        check_fits(gate, one)


@check_fits.register
def _(distribution: ICNR, parameter: Parameter) -> None:
    check_fits(distribution.kernel, copy_of(distribution, parameter))


@check_fits.register
def _(distribution: Paired, parameter: Parameter) -> None:
    check_fits(distribution.kernel, folded(distribution, parameter))


@check_fits.register
def _(distribution: Chrono, parameter: Parameter) -> None:
    if not {"forget", "update"} & set(parameter.gate_names):
        raise FaninError(
            f"{parameter.name} has no forget or update gate.", expected="an LSTM's or GRU's bias"
        )


@check_fits.register
def _(distribution: Values, parameter: Parameter) -> None:
    last = parameter.shape[-1] if parameter.shape else 1
    if len(distribution.values) not in (1, last):
        raise FaninError(
            f"{len(distribution.values)} values do not fit {parameter.name} {parameter.shape}.",
            expected="one for each place of the last axis",
        )


@check_fits.register
def _(distribution: Factor, parameter: Parameter) -> None:
    inside = matrices(parameter)
    if inside.count > 1 or parameter.complex:
        raise FaninError(
            f"{parameter.name} is not one real matrix, as the factor of a product is.",
            expected="a projection of self-attention",
        )
    sides = inside.outputs, inside.inputs * math.prod(inside.taps)
    shared, width = reversed(sides) if distribution.shared_in else sides
    rank = shared // distribution.heads
    if rank > width or rank * distribution.heads != shared:
        raise FaninError(
            f"{distribution.heads} heads and a width of {width} do not fit {parameter.name}: "
            f"{parameter.shape}.",
            expected="self-attention of one width",
            fix='the right number of heads: "mimetic(heads=12)"',
        )


def gate_of(distribution: PerGate, parameter: Parameter) -> Parameter:
    """Return one of the gates that are packed into a parameter.

    Raises:
        FaninError: There are not so many gates.

    Example:
        >>> from fanin.schemes.distributions import Constant
        >>> gate_of(PerGate((Constant(0.0), Constant(1.0))), Parameter("b", (8,), "bias")).shape
        (4,)
    """
    axis, count = gates_axis(parameter), len(distribution.gates)
    if parameter.shape[axis] % count:
        raise FaninError(
            f"{parameter.name} {parameter.shape} does not split into {count} gates.",
            expected="a distribution for each gate",
        )
    return replace(_resized(parameter, axis, parameter.shape[axis] // count), gates=1, gate_names=())


def gates_axis(parameter: Parameter) -> int:
    """Return the axis that gates are packed into: that of the outputs, or of a bias the last one."""
    return parameter.axes.index("out") if parameter.axes else len(parameter.shape) - 1


def copy_of(distribution: ICNR, parameter: Parameter) -> Parameter:
    """Return what an ICNR kernel repeats.

    Raises:
        FaninError: There are not so many copies of it.

    Example:
        >>> from fanin.schemes.distributions import Normal
        >>> kernel = Parameter("k", (8, 3, 3, 3), "kernel", ("out", "in", "tap", "tap"))
        >>> copy_of(ICNR(Normal(0.0, 1.0), 4), kernel).shape
        (2, 3, 3, 3)
    """
    axis = parameter.axes.index("out") if "out" in parameter.axes else None
    if axis is None or parameter.shape[axis] % distribution.copies:
        outputs = "no known" if axis is None else parameter.shape[axis]
        raise FaninError(
            f"{parameter.name} has {outputs} outputs, which are no {distribution.copies} copies.",
            expected="the convolution before a pixel shuffle",
        )
    return _resized(parameter, axis, parameter.shape[axis] // distribution.copies)


def _resized(parameter: Parameter, axis: int, size: int) -> Parameter:
    shape = tuple(size if i == axis else n for i, n in enumerate(parameter.shape))
    return replace(parameter, shape=shape)
