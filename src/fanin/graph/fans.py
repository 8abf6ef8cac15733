"""Fans, computed from what a layer does with its weights; the only place where they are."""

from __future__ import annotations

import math
from typing import NamedTuple

from fanin.errors import FaninError
from fanin.graph.parameter import Axis, Parameter


class Fans(NamedTuple):
    """How many terms are summed into one output unit, and into one input unit's gradient."""

    fan_in: float
    fan_out: float


def fans(parameter: Parameter) -> Fans:
    """Return the fans of a kernel.

    With weights of mean 0 and variance v, an output unit's second moment is fan_in v times the inputs',
    and a gradient's on the way back is fan_out v times. So, for a kernel with T taps:

        dense            fan_in = in           fan_out = out
        convolution      T in / groups         T out / groups
        depthwise        T                     T multiplier
        transposed       T in / (stride groups)   T out / groups
        gates            in                    out / gates
        embedding        1                     out

    (stride is the product over the spatial axes: each output is reached by T / stride taps on average.)

    Args:
        parameter: A kernel whose axes are known.

    Raises:
        FaninError: The axes are not known: fans are never guessed from a shape.

    Example:
        >>> fans(Parameter("conv", (3, 3, 16, 32), "kernel", ("tap", "tap", "in", "out")))
        Fans(fan_in=144.0, fan_out=288.0)

    References:
        Glorot and Bengio (2010), sec. 4.2; He et al., arXiv:1502.01852, sec. 2.2.
    """
    if parameter.kind == "bias" and parameter.kernel is not None:
        return fans(parameter.kernel)
    if parameter.kind == "embedding" and (parameter.axes or len(parameter.shape) == 2):
        return Fans(1.0, float(parameter.shape[-1]))
    known = {"out", "multiplier"} & set(parameter.axes)
    if len(parameter.axes) != len(parameter.shape) or not known:
        raise FaninError(
            f"The fans of {parameter.name} {parameter.shape} are unknown.",
            expected="a kernel of a known layer",
            fix="give it a distribution by name",
        )
    taps, inputs = _size(parameter, "tap"), _size(parameter, "in")
    if _depthwise(parameter):
        return Fans(float(taps), float(taps * _size(parameter, "multiplier")))
    outputs = _size(parameter, "out") / parameter.gates
    # Of the channels, a grouped kernel's input axis counts one group; a transposed one's its output axis.
    if parameter.transposed:
        return Fans(taps * inputs / (parameter.stride * parameter.groups), float(taps * outputs))
    # A stride here is one of the inputs' dilation: zeros between them, as many taps that meet nothing.
    return Fans(taps * inputs / parameter.stride, taps * outputs / parameter.groups)


def _depthwise(parameter: Parameter) -> bool:
    return "multiplier" in parameter.axes


def _size(parameter: Parameter, axis: Axis) -> int:
    return math.prod(n for n, role in zip(parameter.shape, parameter.axes, strict=True) if role == axis)
