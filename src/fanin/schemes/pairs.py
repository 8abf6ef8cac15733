"""Kernels between units some or all of which come in pairs, each the other's negative."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fanin.errors import FaninError
from fanin.graph.parameter import Axis, Parameter
from fanin.schemes.distributions import Paired

ALL = 8
"""Eighths of the units that are in pairs where all are."""


class _Side(NamedTuple):
    """What happens along the axis of the inputs or of the outputs.

    Args:
        axis: Its place.
        places: Places in a row that a unit takes.
        eighths: Of the units are pairs.
        alone: What the weights of the others are multiplied by.
    """

    axis: int
    places: int
    eighths: int
    alone: float

    @property
    def block(self) -> int:
        """The units after which the pattern repeats: a pair where all are, else sixteen."""
        return 2 if self.eighths == ALL else 16

    @property
    def pairs(self) -> int:
        """The pairs among them, which come first."""
        return 1 if self.eighths == ALL else self.eighths

    @property
    def factors(self) -> np.ndarray:
        """What each unit of a block is multiplied by: 1, -1 for each pair, then `alone`, (block,)."""
        return np.append(np.tile([1.0, -1.0], self.pairs), np.full(self.block - 2 * self.pairs, self.alone))

    @property
    def sources(self) -> np.ndarray:
        """Where in a folded block each unit's weights are: 0, 0, 1, 1, ... and then one by one, (block,)."""
        units = np.arange(self.block)
        return np.where(units < 2 * self.pairs, units // 2, units - self.pairs)


def folded(paired: Paired, parameter: Parameter) -> Parameter:
    """Return a parameter with one unit of each pair, and those that stand alone.

    Raises:
        FaninError: Its axes are not known, or do not split into pairs.

    Example:
        >>> kernel = Parameter("fc.weight", (6, 8), "kernel", ("out", "in"))
        >>> from fanin.schemes.distributions import Orthogonal
        >>> folded(Paired(Orthogonal(), 1, True), kernel).shape
        (3, 4)
        >>> kernel = Parameter("fc.weight", (32, 8), "kernel", ("out", "in"))
        >>> folded(Paired(Orthogonal(), 0, True, output_eighths=3), kernel).shape
        (26, 8)
    """
    shape = list(parameter.shape)
    for side in _sides(paired, parameter):
        if shape[side.axis] % (side.block * side.places):
            raise FaninError(
                f"{parameter.name} {parameter.shape} does not split into pairs of units.",
                expected=f"{side.block} units, or a multiple of that",
            )
        shape[side.axis] -= shape[side.axis] // side.block * side.pairs
    return replace(parameter, shape=tuple(shape))


def unfolded(paired: Paired, parameter: Parameter, kernel: np.ndarray) -> np.ndarray:
    """Return a kernel made of its folded one: the second unit of a pair is the negative of the first.

    Args:
        paired: Which sides are paired.
        parameter: The whole kernel.
        kernel: (keys, *shape) of the folded one.

    Returns:
        (keys, *shape) of the whole.
    """
    for side in _sides(paired, parameter):
        before, after = kernel.shape[: side.axis + 1], kernel.shape[side.axis + 2 :]
        blocks = kernel.reshape(*before, -1, side.block - side.pairs, side.places, *after)
        factors = side.factors.astype(kernel.dtype).reshape(-1, 1, *(1 for _ in after))
        units = blocks.take(side.sources, axis=side.axis + 2) * factors
        kernel = units.reshape(*before, -1, *after)
    return kernel


def growth(paired: Paired) -> float:
    """Return by how much a kernel's mean square grows when it is unfolded.

    Of the whole kernel's inputs a share p = eighths / 8 is paired, so it is p + (1 - p) alone^2, for folded
    kernels whose values have one second moment.

    Example:
        >>> from fanin.schemes.distributions import Orthogonal
        >>> growth(Paired(Orthogonal(), 1, True, input_eighths=2, alone=2.0))
        3.25
    """
    share = paired.input_eighths / ALL if paired.inputs else 1.0
    return share + (1 - share) * paired.alone**2


def _sides(paired: Paired, parameter: Parameter) -> list[_Side]:
    """Return the sides of a parameter that are paired."""
    wanted: dict[Axis, tuple[int, int, float]] = {}
    if paired.outputs:
        wanted["out"] = 1, paired.output_eighths, 1.0
    if paired.inputs:
        wanted["in"] = paired.inputs, paired.input_eighths, paired.alone
    missing = [axis for axis in wanted if parameter.axes.count(axis) != 1]
    if missing:
        raise FaninError(
            f"{parameter.name} has no axis of {missing[0]}put units to pair.",
            expected="a kernel of a known layer",
        )
    return [_Side(parameter.axes.index(axis), *side) for axis, side in wanted.items()]
