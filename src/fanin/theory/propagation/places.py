"""A few places that stand for all positions and examples of a value."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fanin.theory.propagation.draws import Array

_GOLDEN = (math.sqrt(5) - 1) / 2

_SINGLE = 8  # of a causal sequence's positions

SAMPLES = 2
"""Examples of a batch that are followed: two are enough, all are alike."""


@dataclass(frozen=True)
class Places:
    """Positions in blocks; those of a block are alike, and some points of it stand for all.

    Args:
        sizes: Positions of each block: of a sequence in their order, of an image as `image` has them.
        points: At most so many points stand for a block.
        grid: The image's shape, if its borders have blocks of their own.

    Example:
        >>> Places((1, 1, 2, 4)).owner.tolist()
        [0, 1, 2, 2, 3, 3]
    """

    sizes: tuple[int, ...] = (1,)
    points: int = 2
    grid: tuple[int, ...] = ()

    @classmethod
    def image(cls, shape: tuple[int, ...], points: int) -> Places:
        """Return blocks of an image: along each axis the first position, what lies between, the last one.

        Example:
            >>> Places.image((8, 8), 2).sizes  # four corners, four borders, the inside
            (1, 6, 1, 6, 36, 6, 1, 6, 1)
        """
        sizes = [1]
        for length in shape:
            sizes = [size * part for size in sizes for part in np.bincount(ends(length)).tolist()]
        return cls(tuple(sizes), points, tuple(shape))

    def labels(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Return the part of each axis that its positions belong to: one for all where blocks do not fit."""
        if self.grid == tuple(shape):
            return [ends(length) for length in shape]
        if len(shape) == 1 and self.total == shape[0]:
            return [np.repeat(np.arange(len(self.sizes)), self.sizes)]
        return [np.zeros(length, int) for length in shape]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Points of each block."""
        return tuple(min(size, self.points) for size in self.sizes)

    @cached_property
    def owner(self) -> np.ndarray:
        """The block of each point, (points,)."""
        return np.repeat(np.arange(len(self.sizes)), self.counts)

    @property
    def total(self) -> int:
        """All positions."""
        return sum(self.sizes)

    def __len__(self) -> int:
        return sum(self.counts)

    @cached_property
    def share(self) -> Array:
        """Positions that each point stands for, (points,)."""
        return np.repeat(np.divide(self.sizes, self.counts), self.counts)

    @cached_property
    def pairs(self) -> Array:
        """Pairs of positions that each pair of points stands for, (points, points); they sum to total^2."""
        found = np.outer(self.share, self.share)
        for block, (size, points) in enumerate(zip(self.sizes, self.counts, strict=True)):
            inside = self.owner == block
            if points > 1:
                found[np.ix_(inside, inside)] = size * (size - 1) / (points * (points - 1))
        np.fill_diagonal(found, self.share)
        return found

    @cached_property
    def positions(self) -> np.ndarray:
        """A position for each point, spread over its block, (points,)."""
        if self.grid:
            return np.asarray(np.ravel_multi_index(tuple(self.coordinates.T), self.grid))
        starts = np.cumsum([0, *self.sizes[:-1]])
        blocks = zip(starts, self.sizes, self.counts, strict=True)
        return np.concatenate([start + _along(size, points) for start, size, points in blocks])

    @cached_property
    def coordinates(self) -> np.ndarray:
        """A position of the image for each point, spread over its block, (points, axes)."""
        parts = [[np.flatnonzero(ends(n) == part) for part in range(max(ends(n)) + 1)] for n in self.grid]
        blocks = itertools.product(*parts)
        return np.concatenate(
            [_spread(block, count) for block, count in zip(blocks, self.counts, strict=True)]
        )


def _along(size: int, points: int) -> np.ndarray:
    """Return so many of a row's positions, whose mean is that of functions; for two, as Gauss has them.

    Example:
        >>> _along(8, 2).tolist(), _along(9, 3).tolist()
        ([1, 6], [1, 4, 7])
    """
    middle, half = (size - 1) / 2, size / 2
    nodes = np.array([-1, 1]) / math.sqrt(3) if points == 2 else (2 * np.arange(points) + 1) / points - 1
    return np.rint(middle + half * nodes).astype(int)


def _spread(block: tuple[np.ndarray, ...], points: int) -> np.ndarray:
    """Return so many places of a product of axes: all of them, or some that are even along each axis."""
    if points == math.prod(len(axis) for axis in block):
        return np.stack(np.meshgrid(*block, indexing="ij"), axis=-1).reshape(points, -1)
    step = np.arange(points)
    evenly = [(step + 0.5) / points, *(step * _GOLDEN**axis % 1.0 for axis in range(1, len(block)))]
    return np.stack(
        [axis[(at * len(axis)).astype(int)] for axis, at in zip(block, evenly, strict=True)], axis=1
    )


def ends(length: int) -> np.ndarray:
    """Return the part of each position of an axis: the first one, what lies between, the last one.

    Example:
        >>> ends(5).tolist(), ends(2).tolist()
        ([0, 1, 1, 1, 2], [0, 1])
    """
    found = np.minimum(np.arange(length), 1)
    found[1:][-1:] = min(length - 1, 2)
    return found


@functools.cache
def pair_counts(places: Places, examples: int) -> Array:
    """Return how many pairs of (example, position) each pair of points stands for.

    Args:
        places: Of the positions.
        examples: Examples of the batch.

    Returns:
        (samples, points, samples, points), which sum to (examples * positions)^2.

    Example:
        >>> float(pair_counts(Places((5,)), 3).sum())
        225.0
    """
    batch = _examples(examples)
    same = places.pairs
    apart = np.outer(places.share, places.share)
    for block, (size, points) in enumerate(zip(places.sizes, places.counts, strict=True)):
        # Of two examples' positions of a block, few are the same one.
        inside = np.flatnonzero(places.owner == block)
        apart[np.ix_(inside, inside)] = size * (size - 1) / (points * max(points - 1, 1))
        apart[inside, inside] = size / points
    counts = np.where(np.eye(SAMPLES)[:, None, :, None] > 0, same[None, :, None, :], apart[None, :, None, :])
    return counts * batch[:, None, :, None]


def _examples(examples: int) -> Array:
    if examples < SAMPLES:
        return np.diag([1.0, *[0.0] * (SAMPLES - 1)])
    apart = examples * (examples - 1) / (SAMPLES * (SAMPLES - 1))
    return np.where(np.eye(SAMPLES) > 0, examples / SAMPLES, apart)


def causal(length: int) -> tuple[int, ...]:
    """Return blocks of a sequence whose positions see those before: single ones, then ever longer ones.

    What they see changes as 1 / position, so that two points are too few for the first ones.

    Example:
        >>> causal(20)
        (1, 1, 1, 1, 1, 1, 1, 1, 8, 4)
    """
    sizes = [1] * min(length, _SINGLE)
    while (start := sum(sizes)) < length:
        sizes.append(min(start, length - start))
    return tuple(sizes)
