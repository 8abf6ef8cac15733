"""Many sequences side by side: the same values as one by one, with a call for all keys in place of each.

What a call of NumPy costs is most of the time for a small array. So the words of many keys are made
together, and once for all the distributions that are drawn from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.random import plain
from fanin.random.fill import (
    _engine,
    fill_truncated_normal,
    fill_uniform,
    normal_arguments,
    uniform_arguments,
)
from fanin.random.law import COARSE, Law
from fanin.random.philox import TAILS, VALUES, WORD, philox
from fanin.random.plain import BLOCK, standard

_A_CALL = 1 << 8
"""Values of a tile that take as long as a call of compiled code."""
_LOW, _HALF = np.uint64(WORD - 1), np.uint64(32)

Array = NDArray[np.floating]


class Single:
    """One sequence from an index on; its methods are the fills.

    Args:
        key: The sequence's key.
        start: Index of the first value.
        compiled: Whether Numba fills, whatever the size.
    """

    def __init__(self, key: int, start: int = 0, *, compiled: bool = False) -> None:
        self._options: dict[str, Any] = {"key": key, "start": start, "compiled": compiled or None}

    def normal(
        self, out: Array, mean: float, sd: float, low: float = -math.inf, high: float = math.inf
    ) -> None:
        """Fill an array with normal values between bounds."""
        fill_truncated_normal(out, mean=mean, sd=sd, low=low, high=high, **self._options)

    def uniform(self, out: Array, low: float, high: float) -> None:
        """Fill an array with uniform values."""
        fill_uniform(out, low=low, high=high, **self._options)


class Tile:
    """Some indices of some sequences; their words are made once for all that is drawn from them.

    Args:
        keys: The sequences' keys, (keys,).
        start: Index of the first value.
        count: Number of values of each sequence.

    Example:
        >>> tile, out, one = Tile(np.array([7, 8], np.uint64), 2, 5), np.empty((2, 5)), np.empty(5)
        >>> tile.normal(out, mean=1.0, sd=0.5)
        >>> Single(key=8, start=2).normal(one, mean=1.0, sd=0.5)
        >>> bool((out[1] == one).all())
        True
    """

    def __init__(self, keys: NDArray[np.uint64], start: int, count: int) -> None:
        self._keys, self._start, self._count = keys, start, count
        self._standard: dict[Law, NDArray[np.float64]] = {}

    def normal(
        self, out: Array, mean: float, sd: float, low: float = -math.inf, high: float = math.inf
    ) -> None:
        """Fill an array of (keys, count) with normal values between bounds."""
        law, mean, sd, least, greatest = normal_arguments(mean, sd, low, high, out.dtype)
        if law not in self._standard:
            in_bulk = law.first <= 0 and law.last >= WORD  # all of it, and second words are for the tails
            self._standard[law] = standard(self._first, self._first if in_bulk else self._second, law)
        out[...] = np.clip(mean + sd * self._standard[law], least, greatest)

    def uniform(self, out: Array, low: float, high: float) -> None:
        """Fill an array of (keys, count) with uniform values."""
        origin, step, least, greatest = uniform_arguments(low, high, out.dtype)
        out[...] = np.clip(origin + step * self._first, least, greatest)

    @cached_property
    def _first(self) -> NDArray[np.uint64]:
        blocks = np.arange(self._start // 4, (self._start + self._count + 3) // 4, dtype=np.uint64)
        made = _words(self._keys[:, None], blocks, VALUES).reshape(len(self._keys), -1)
        return made[:, self._start % 4 : self._start % 4 + self._count]

    @cached_property
    def _second(self) -> NDArray[np.uint64]:
        """Second words where they count, 0 elsewhere."""
        second = np.zeros_like(self._first)
        rows, columns = np.nonzero((self._first < COARSE) | (self._first >= WORD - COARSE))
        if len(rows):
            index = columns.astype(np.uint64) + np.uint64(self._start)
            made = _words(self._keys[rows], index // 4, TAILS)
            second[rows, columns] = made[np.arange(len(index)), index % 4]
        return second


def _words(keys: NDArray[np.uint64], blocks: NDArray[np.uint64], domain: np.uint64) -> NDArray[np.uint64]:
    """Return the words of blocks under keys, which are broadcast together, with an axis of 4 at the end."""
    made = philox(blocks & _LOW, blocks >> _HALF, domain, np.uint64(0), keys & _LOW, keys >> _HALF)
    return np.stack(made, axis=-1)


def tiles(keys: Sequence[int], count: int, start: int = 0) -> Iterator[tuple[tuple[slice, slice], Tile]]:
    """Yield tiles that cover `count` values of each key's sequence, with their place in (keys, count).

    They are of a size that NumPy works through in a core's caches.

    Args:
        keys: Keys, from `fanin.random.philox.key_of`.
        count: Number of values of each sequence.
        start: Index of the first value.

    Example:
        >>> [place for place, tile in tiles([1, 2, 3], 10_000)]
        [(slice(0, 3, None), slice(0, 10000, None))]
    """
    all_keys = np.array(keys, np.uint64)
    width = min(count, BLOCK)
    height = BLOCK // max(width, 1)
    for row in range(0, len(all_keys), height):
        rows = slice(row, min(row + height, len(all_keys)))
        for column in range(0, count, BLOCK):
            columns = slice(column, min(column + BLOCK, count))
            yield (rows, columns), Tile(all_keys[rows], start + column, columns.stop - column)


def compiled_pays(keys: int, count: int) -> bool:
    """Return whether compiled code fills `count` values of each key sooner, one key after the other."""
    return count >= _A_CALL and _engine(keys * count, None) is not plain
