"""Normal numbers that fill the space evenly: rows are channels, columns are what they are drawn for."""

from __future__ import annotations

import functools
import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc
from threadpoolctl import threadpool_limits

Array = NDArray[np.float64]

one_thread = threadpool_limits.wrap(limits=1)
"""For functions of many small matrices: threads that wait for each other take longer than the work."""

_TOGETHER = 32  # columns of one net; what meets in one function was mostly drawn close together
_PARTS = 128  # of the channels, which may differ along their axis


class Source(Protocol):
    """Where columns of standard normal numbers come from."""

    rows: int

    def take(self, columns: int) -> Array:
        """Return the next columns, (rows, columns)."""
        ...


class Normals:
    """Columns of standard normal numbers, scrambled Sobol points through the inverse distribution function.

    Columns of one net are even jointly, and so are those rows of it that follow each other. Their order is
    random, so that other nets know nothing of it.

    Args:
        rows: How many numbers a column has, a power of 2.
        seed: Of the scrambling and the shuffling.

    Example:
        >>> drawn = Normals(1024, seed=0).take(3)
        >>> drawn.shape, bool(abs(np.mean(drawn[:, 0] ** 2 * drawn[:, 1] ** 2) - 1) < 0.03)
        ((1024, 3), True)

    References:
        Owen (1997), Scrambled net variance for integrals of smooth functions; Burley (2020), Practical
        Hash-based Owen Scrambling, section 4.2 (nets in an order that is scrambled itself).
    """

    def __init__(self, rows: int, seed: int = 0) -> None:
        self.rows = rows
        self._random = np.random.default_rng(seed)
        self._left = np.empty((rows, 0))

    def take(self, columns: int) -> Array:
        """Return the next columns, (rows, columns)."""
        while self._left.shape[1] < columns:
            self._left = np.concatenate([self._left, self._net(max(_TOGETHER, columns))], axis=1)
        taken, self._left = self._left[:, :columns], self._left[:, columns:]
        return taken

    def uniform(self, shape: tuple[int, ...]) -> Array:
        """Return uniform numbers that are even along the rows, (rows, ...)."""
        order = self._random.permuted(
            np.tile(np.arange(self.rows)[:, None], (1, int(np.prod(shape)))), axis=0
        )
        return ((order + self._random.random(order.shape)) / self.rows).reshape(self.rows, *shape)

    def among(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a random whole number of each range, its end left out."""
        return self._random.integers(starts, ends)

    def shuffled(self) -> NDArray[np.int64]:
        """Return the rows in a random order."""
        return self._random.permutation(self.rows)

    def independent(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return numbers that know nothing of each other."""
        return self._random.standard_normal(shape, np.float32)

    def _net(self, columns: int) -> Array:
        points = qmc.Sobol(columns, scramble=True, rng=self._random).random(self.rows)
        # Each column has one point in each of so many equal parts.
        return levels(self.rows)[(points * self.rows).astype(np.int32)][self._nested()]

    def _nested(self) -> NDArray[np.int64]:
        """Return the rows in a random order, in which each half of a half of them stays together."""
        order, bits = np.zeros(1, int), self.rows.bit_length() - 1
        for _ in range(bits):
            swapped = self._random.integers(0, 2, (len(order), 1))
            order = (2 * order[:, None] + (swapped ^ np.array([0, 1]))).ravel()
        return order


def graded(values: Array) -> Array:
    """Return standard normal numbers in the order of given ones, column by column, (rows, ...)."""
    whole = values.reshape(len(values), -1)
    found = np.empty(whole.shape)
    for column in range(whole.shape[1]):
        found[np.argsort(whole[:, column]), column] = levels(len(values))
    return found.reshape(values.shape)


@functools.cache
def levels(rows: int) -> Array:
    """Return the root mean squares of standard normal numbers in so many equally likely parts, in order.

    Example:
        >>> levels(4).round(3).tolist(), float(np.mean(levels(64) ** 2).round(9))
        ([-1.363, -0.378, 0.378, 1.363], 1.0)
    """
    ends = ndtri(np.arange(1, rows) / rows)
    mass = np.concatenate([[0.0], ends * np.exp(-(ends**2) / 2) / math.sqrt(2 * math.pi), [0.0]])
    return np.sqrt(1 - rows * np.diff(mass)) * np.sign(np.arange(rows) - (rows - 1) / 2)


def some(count: int, rows: int) -> NDArray[np.int64]:
    """Return so many rows that stand for all, in order, (count,): of each part of all the first ones.

    Those that follow each other fill the space evenly.

    Example:
        >>> some(3, 8).tolist()
        [0, 3, 6]
    """
    if rows == 1:
        return np.zeros(count, int)
    place, parts = np.arange(count), min(_PARTS, count)
    part = place * parts // count
    return -(-part * rows // parts) + place - -(-part * count // parts)


def repeated(count: int, rows: int) -> NDArray[np.int64]:
    """Return which of `some` rows each row repeats, (rows,).

    Example:
        >>> repeated(3, 8).tolist(), repeated(3, 8)[some(3, 8)].tolist()
        ([0, 0, 0, 1, 1, 1, 2, 2], [0, 1, 2])
    """
    place, parts = np.arange(rows), min(_PARTS, count)
    part = place * parts // rows
    first, after = (-(-at * count // parts) for at in (part, part + 1))
    return first + (place - -(-part * rows // parts)) % (after - first)
