"""Kernels between units that come in pairs, each the other's negative."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fanin.errors import FaninError
from fanin.graph.parameter import Axis, Parameter
from fanin.schemes.distributions import Paired


def halved(paired: Paired, parameter: Parameter) -> Parameter:
    """Return a parameter with one unit of each pair.

    Raises:
        FaninError: Its axes are not known, or do not split into pairs.

    Example:
        >>> kernel = Parameter("fc.weight", (6, 8), "kernel", ("out", "in"))
        >>> from fanin.schemes.distributions import Orthogonal
        >>> halved(Paired(Orthogonal(), 1, True), kernel).shape
        (3, 4)
    """
    shape = list(parameter.shape)
    for axis, size in _sides(paired, parameter).items():
        if shape[axis] % (2 * size):
            raise FaninError(
                f"{parameter.name} {parameter.shape} does not split into pairs of units.",
                expected="an even number of units",
            )
        shape[axis] //= 2
    return replace(parameter, shape=tuple(shape))


def mirrored(paired: Paired, parameter: Parameter, half: np.ndarray) -> np.ndarray:
    """Return a kernel made of its half: every other unit is the negative of the one before.

    Args:
        paired: Which sides are paired.
        parameter: The whole kernel.
        half: (keys, *shape) of its half.

    Returns:
        (keys, *shape) of the whole.
    """
    whole = half
    for axis, size in _sides(paired, parameter).items():
        before, after = whole.shape[: axis + 1], whole.shape[axis + 2 :]
        units = whole.reshape(*before, -1, 1, size, *after)
        pairs = np.concatenate([units, -units], axis=axis + 2)
        whole = pairs.reshape(*before, -1, *after)
    return whole


def _sides(paired: Paired, parameter: Parameter) -> dict[int, int]:
    """Return the paired axes of a parameter, and how many places in a row a unit takes there."""
    wanted: dict[Axis, int] = {"out": 1} if paired.outputs else {}
    if paired.inputs:
        wanted["in"] = paired.inputs
    missing = [axis for axis in wanted if parameter.axes.count(axis) != 1]
    if missing:
        raise FaninError(
            f"{parameter.name} has no axis of {missing[0]}put units to pair.",
            expected="a kernel of a known layer",
        )
    return {parameter.axes.index(axis): size for axis, size in wanted.items()}
