r"""Gradients of the largest of each window: they go to where it was.

With 1_wp whether position p has the largest value of window w, g_p = sum_w 1_wp g_w and

    E[g_p g_p'] = sum_ww' E[1_wp 1_w'p'] E[g_w g_w']

where no window has its largest value at two positions. So sums over all positions are those over all windows.
Of equal values, as zeros of a ReLU are, the first one gets the gradient, which is another one in each window.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fanin.theory.propagation.cotangent import Curvature, Part
from fanin.theory.propagation.covariance import joined, split
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.windows import Axis


@dataclass(frozen=True, eq=False)
class Largest:
    """How gradients of windows go back to the points that were dealt out to them.

    Points of a block are alike, so that those in windows stand for those in none, whose gradient is put 0.

    Args:
        windows: The window of each point, (points,).
        taps: Its tap there.
        factors: What its gradient is multiplied by, (points,).
        within: What second moments of two points are multiplied by within an example, (points, points).
        between: The same between two examples.
        again: How much of its window's second moments with others, (points, windows), its own one has more.
    """

    windows: np.ndarray
    taps: np.ndarray
    factors: Array
    within: Array
    between: Array
    again: Array

    @classmethod
    def of(
        cls, dealt: np.ndarray, larger: Array, axes: Sequence[Axis], places: Places, source: Places
    ) -> Largest:
        """Return it for windows.

        Args:
            dealt: The point of each tap of each window, -1 outside, (windows, taps).
            larger: How often one of so many values is larger than another, by their number.
            axes: Windows along each axis.
            places: Of the windows.
            source: Of the points.
        """
        counts = _Counts.of(dealt, places, source)
        others = places.pairs - np.diag(places.share)
        total = np.sum(others, axis=1)
        each = repeated(axes, places, larger)
        # Where two windows have the same largest value, they have it at one position and not at two.
        read = dealt >= 0
        met = places.share @ (np.average(each, axis=1, weights=read) * larger[np.sum(read, axis=1)])
        factors = np.sqrt(counts.positions(places.share))
        scale = np.outer(factors, factors)
        np.fill_diagonal(scale, 0.0)
        within = _ratio(counts.pairs(others) * (1 - met / max(np.sum(total), 1.0)), scale)
        between = _ratio(counts.pairs(places.pairs), scale)
        again = each[counts.windows, counts.taps, None] * _ratio(others, total[:, None])[counts.windows]
        one = np.eye(len(source))
        return cls(counts.windows, counts.taps, factors, within + one, between + one, again)

    def parts(self, part: Part, taken: Array, alone: np.ndarray) -> tuple[Part, Part]:
        """Return a part of the gradient with respect to what windows read: of one window, of others again.

        Args:
            part: Of the gradient with respect to the largest.
            taken: Whether a tap gets a window's gradient, (rows, samples, windows, taps).
            alone: Whether no other one is as large, (rows, samples, windows).
        """
        slope = (part.slope[..., None] * taken)[..., self.windows, self.taps] * self.factors
        same, apart = (matrix[np.ix_(self.windows, self.windows)] for matrix in split(part.inner))
        more = np.diag(np.sum(self.again * split(part.inner)[0][self.windows], axis=1))
        curvature = None if part.curvature is None else self._spread(part.curvature)
        once = Part(slope, joined(same * self.within, apart * self.between), curvature=curvature)
        return once, Part(slope * alone[..., self.windows], joined(more, np.zeros(more.shape)))

    def _spread(self, curvature: Curvature) -> Curvature:
        """Return second derivatives at each point that are those at its window."""
        return Curvature(*(found[:, self.windows][:, :, :, self.windows] for found in curvature))


@dataclass(frozen=True, eq=False)
class _Counts:
    """What points that were dealt out to windows stand for.

    Args:
        windows: The window of each point, (points,).
        taps: Its tap there.
        given: Whether it has any.
        read: Taps of each window in each block, (windows, blocks).
        home: Those of them that points have.
        source: Of the points.
    """

    windows: np.ndarray
    taps: np.ndarray
    given: np.ndarray
    read: Array
    home: Array
    source: Places

    @classmethod
    def of(cls, dealt: np.ndarray, places: Places, source: Places) -> _Counts:
        """Return it, each point with one of the taps that read it: so that windows have their shares.

        Args:
            dealt: The point of each tap of each window, -1 outside, (windows, taps).
            places: Of the windows.
            source: Of the points.
        """
        readers: dict[int, list[tuple[int, int]]] = {}
        read, home = np.zeros((2, len(dealt), len(source.sizes)))
        for (window, tap), point in np.ndenumerate(dealt):
            if point >= 0:
                readers.setdefault(int(point), []).append((window, tap))
                read[window, source.owner[point]] += 1
        wanted = places.share[:, None] * read
        wanted = wanted * _ratio(np.asarray(source.counts, float), np.sum(wanted, axis=0))
        windows, taps = np.zeros((2, len(source)), int)
        for point in sorted(readers, key=lambda point: len(readers[point])):
            block = source.owner[point]
            lack = np.where(home[:, block] > 0, wanted[:, block] - home[:, block], np.inf)
            windows[point], taps[point] = max(readers[point], key=lambda reader: lack[reader[0]])
            home[windows[point], block] += 1
        given = np.isin(np.arange(len(source)), list(readers))
        return cls(windows, taps, given, read, home, source)

    @cached_property
    def each(self) -> Array:
        """Taps of a window in a block for each of its points there, (windows, blocks)."""
        return _ratio(self.read, self.home)

    @cached_property
    def stands(self) -> Array:
        """The same of each point, (points,)."""
        return self.given * self.each[self.windows, self.source.owner]

    def positions(self, windows: Array) -> Array:
        """Return how many windows' taps a point stands for, over the positions that it does, (points,)."""
        points = np.divide(self.source.counts, self.source.sizes)
        more = _ratio(windows @ self.read * points, windows @ (self.home * self.each))
        return self.stands * windows[self.windows] * more[self.source.owner]

    def pairs(self, windows: Array) -> Array:
        """Return the same of pairs of windows and of two points."""
        points, real = (
            np.outer(number, number) - np.diag(number)
            for number in (np.asarray(self.source.counts, float), np.asarray(self.source.sizes, float))
        )
        homes = self.home * self.each
        every, met = (
            taps.T @ windows @ taps - np.diag(np.diag(windows) @ squares)
            for taps, squares in ((self.read, self.read), (homes, homes * self.each))
        )
        more = _ratio(every * points, met * real)[np.ix_(self.source.owner, self.source.owner)]
        return np.outer(self.stands, self.stands) * windows[np.ix_(self.windows, self.windows)] * more


def _ratio(one: Array, other: Array) -> Array:
    one, other = np.broadcast_arrays(one, other)
    return np.divide(one, other, out=np.zeros(one.shape), where=other > 0)


def repeated(axes: Sequence[Axis], places: Places, larger: Array) -> Array:
    """Return how many other windows a tap is expected to be the largest of, where it is of its own.

    Of alike values of which one is the largest, as of n are with probability P(n), that of A is that of B,
    too, with probability |A| / |A u B| P(|A u B|) / P(|A|).

    Args:
        axes: Windows along each axis.
        places: Of the windows.
        larger: P, (numbers,).

    Returns:
        (windows, taps).

    Example:
        >>> axis = Axis.of(7, 3, 3, stride=2, before=0, dilation=1)
        >>> repeated([axis], Places.image((3,), 2), np.ones(7)).round(3).tolist()
        [[0.0, 0.0, 0.6], [0.6, 0.0, 0.6], [0.6, 0.0, 0.0]]
    """
    each = [_Neighbours(axis, at) for axis, at in zip(axes, places.coordinates.T, strict=True)]
    found = np.zeros((len(places), math.prod(axis.source.shape[1] for axis in axes)))
    for steps in itertools.product(*(neighbours.steps for neighbours in each)):
        if not any(steps):
            continue
        own, other, both = np.ones((3, len(places)))
        shared = np.ones((len(places), 1))
        for neighbours, step in zip(each, steps, strict=True):
            there = neighbours.shared(step)
            own, other = own * neighbours.sizes(0), other * neighbours.sizes(step)
            both = both * np.sum(there, axis=1)
            shared = (shared[:, :, None] * there[:, None, :]).reshape(len(places), -1)
        every = own + other - both
        chance = [_ratio(larger[size.astype(int)], size) for size in (every, own)]
        found += shared * _ratio(*chance)[:, None]
    return found


@dataclass(frozen=True, eq=False)
class _Neighbours:
    """Windows along an axis, some steps from others.

    Args:
        axis: The windows.
        at: Those others, (points,).
    """

    axis: Axis
    at: np.ndarray

    @property
    def steps(self) -> range:
        """As far as windows can share a position."""
        taps = self.axis.source.shape[1]
        return range(1 - taps, taps)

    def _inside(self, step: int) -> np.ndarray:
        at = self.at + step
        outside = (at < 0) | (at >= len(self.axis.inside))
        return self.axis.inside[np.where(outside, 0, at)] & ~outside[:, None]

    def sizes(self, step: int) -> Array:
        """Return how many positions the windows have, (points,)."""
        return np.sum(self._inside(step), axis=1).astype(float)

    def shared(self, step: int) -> np.ndarray:
        """Return which taps of the others lie in them, (points, taps)."""
        read = self.axis.source[np.clip(self.at + step, 0, len(self.axis.inside) - 1)]
        same = self.axis.source[self.at][:, :, None] == read[:, None, :]
        return np.any(same & self._inside(step)[:, None, :], axis=2) & self._inside(0)
