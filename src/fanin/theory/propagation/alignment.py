"""Values whose positions have different blocks, moved to blocks that they have in common.

Of what is not told apart all positions are alike: second moments between blocks are then means over all pairs
of positions. Normal values are drawn anew from these; others keep their rows, each with positions of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, from_blocks, joined, normal, split, to_blocks
from fanin.theory.propagation.draws import Array, Normals
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import Signal
from fanin.theory.propagation.windows import one_block


class Moved(NamedTuple):
    """A value at other places, and how gradients go back to where it was.

    Args:
        signal: The value.
        back: From the gradient there to the gradient with respect to what was moved.
    """

    signal: Signal
    back: Callable[[Cotangent], Cotangent]


def common(signals: Sequence[Signal]) -> Places | None:
    """Return the places that all signals can have, but for those of one position; None where there are none.

    Example:
        >>> one, blocks = (Signal(np.ones((1, 1, 1)), Places(sizes), 1, 1) for sizes in ((6,), (1, 5)))
        >>> common([one, blocks]), common([blocks, blocks]).sizes
        (Places(sizes=(6,), points=2, grid=()), (1, 5))
    """
    given = [signal for signal in signals if signal.places.total > 1]
    if not given:
        return Places()
    if len({signal.places.total for signal in given}) > 1:
        return None
    finest = max(
        (signal.places for signal in given), key=lambda places: (len(places.sizes), bool(places.grid))
    )
    fits = all(_same(signal.places, finest) or (signal.normal and _alike(signal)) for signal in given)
    return finest if fits else Places((finest.total,), finest.points)


def _same(one: Places, other: Places) -> bool:
    return one.sizes == other.sizes and one.points == other.points


def _alike(signal: Signal) -> bool:
    return len(signal.places.sizes) == 1 and len(signal.values) > 1


def moved(x: Signal, places: Places, normals: Normals) -> Moved:
    """Return a value at other places of as many positions.

    Args:
        x: The value.
        places: One block of all positions; or, of a value that has one, any.
        normals: Where populations come from.
    """
    if x.places.total == 1 or _same(x.places, places):
        return Moved(x, lambda cotangent: cotangent)
    wanted = between(x.covariance, x.places, places)
    if len(x.values) == 1:
        y = replace(x, values=_mean(x), places=places, chain=None)
    elif x.normal:
        values = normal(normals, wanted - x.mean**2) + x.mean
        y = replace(x, values=values, places=places, chain=Chain.of(values, x.chance))
    else:
        y = replace(x, values=_dealt(x, places, normals), places=places, chain=None)

    def back(cotangent: Cotangent) -> Cotangent:
        found = between(cotangent.covariance(places), places, x.places)
        return cotangent.through(found, cotangent.chance)

    return Moved(y, back)


def between(found: Covariance, source: Places, target: Places) -> Covariance:
    """Return second moments at other places, of which one has all positions in one block."""
    result = []
    for matrix in split(found):
        same, apart = to_blocks(matrix, source)
        if source.sizes != target.sizes:
            same, apart = one_block(same, apart, source)
            blocks = len(target.sizes)
            same, apart = np.repeat(same, blocks), np.tile(apart, (blocks, blocks))
        result.append(from_blocks(same, apart, target))
    return joined(*result)


def _mean(x: Signal) -> Array:
    whole = np.broadcast_to(x.values, (1, x.values.shape[1], len(x.places)))
    return (whole @ (x.places.share / x.places.total))[..., None]


def _dealt(x: Signal, places: Places, normals: Normals) -> Array:
    """Return each row's values at random positions, no two points of a row at the same one."""
    rows, counts = len(x.values), np.asarray(x.places.counts)
    starts = np.cumsum([0, *counts[:-1]])
    left = np.tile(np.asarray(x.places.sizes, float), (rows, 1))
    first = normals.among(np.zeros((rows, 1), int), np.tile(counts, (rows, 1)))
    used = np.zeros((rows, len(counts)), int)
    every = np.arange(rows)
    chosen = np.empty((rows, len(places)), int)
    draws = normals.uniform((len(places),))
    for point in range(len(places)):
        ends = np.cumsum(left, axis=1)
        block = np.sum(draws[:, point, None] * ends[:, -1:] >= ends, axis=1)
        chosen[:, point] = starts[block] + (first[every, block] + used[every, block]) % counts[block]
        used[every, block] += 1
        left[every, block] = np.maximum(left[every, block] - 1, 0)
    whole = np.broadcast_to(x.values, (rows, SAMPLES, len(x.places)))
    values = np.take_along_axis(whole, chosen[:, None, :], axis=2)
    return values * np.sqrt(_level(whole, x.places) / np.maximum(np.mean(values**2), 1e-300))


def _level(values: Array, places: Places) -> float:
    """Return E[x^2] over all positions."""
    return float(np.mean(values**2, axis=(0, 1)) @ places.share) / places.total


@dataclass(frozen=True)
class Windows:
    """Windows of equal sizes.

    Args:
        size: Positions of a window.
        number: How many windows there are.
    """

    size: int
    number: int

    def all(self, points: int) -> Places:
        """Return the places of all windows."""
        return Places((self.size * self.number,), points)

    def one(self, x: Signal, normals: Normals) -> Signal:
        """Return a value in one window; other windows are as other examples are."""
        whole = moved(x, self.all(x.places.points), normals).signal
        places = Places((self.size,), x.places.points)
        values = whole.values if whole.values.shape[2] == 1 else whole.values[..., : len(places)]
        examples = x.examples * self.number
        return replace(whole, values=values, places=places, examples=examples, chain=None)

    def of_all(self, found: Covariance, places: Places, far: Array) -> Covariance:
        """Return second moments over all windows from those of one.

        Args:
            found: Of one window.
            places: Its places.
            far: Of positions of two windows, of one example and of two.
        """
        total, every, result = self.size * self.number, self.all(places.points), []
        for matrix, across in zip(split(found), far, strict=True):
            same, apart = to_blocks(matrix, places)
            near = apart * (self.size - 1) + across * (total - self.size)
            result.append(from_blocks(same, near / max(total - 1, 1), every))
        return joined(*result)


def returned(each: Cotangent | None, windows: Windows, far: Array, x: Signal) -> Cotangent | None:
    """Return the gradient of a value of many windows from that of one window.

    Args:
        each: The gradient with respect to one window.
        windows: The windows.
        far: Its second moments at positions of two windows, of one example and of two.
        x: The value.
    """
    if each is None:
        return None
    one, every = Places((windows.size,), x.places.points), windows.all(x.places.points)
    found = windows.of_all(each.covariance(one), one, far)
    return replace(each.through(between(found, every, x.places), each.chance), met=each.met)
