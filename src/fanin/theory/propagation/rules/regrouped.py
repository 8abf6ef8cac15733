r"""Positions that become channels, channels that become positions, positions that are there several times.

All positions are taken to be alike. Where N positions, k of which go together, are told apart from then on
or no longer, second moments of two of them are

    k positions beside channels:  those of two positions; gradients of the k are independent
    k channels within positions:  the mean over pairs, of which two channels have E[x]^2 in common
    k copies of each position:    the mean over pairs, of which (k - 1) / (N k - 1) are of the same one
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fanin.theory.propagation.alignment import moved
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, from_blocks, joined, split, to_blocks
from fanin.theory.propagation.draws import Array, Normals
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import Contributions, Result, Signal

Levels = Callable[[Array, Array], tuple[Array, Array]]
"""From second moments of a position with itself, and of two positions, to others."""


def fewer(x: Signal, total: int, width: int, context: Context) -> Result:
    """Return a value some of whose positions are channels from there on.

    Args:
        x: The value.
        total: Positions that are left.
        width: Channels that there are then.
        context: Of the run.
    """
    share = (total - 1) / max(x.places.total - 1, 1)

    def kept(values: Array, places: Places, normals: Normals) -> Array:
        return values if values.shape[2] == 1 else values[..., : len(places)]

    made = _Change(
        x, total, lambda same, apart: (same, apart), lambda same, apart: (same, share * apart), kept
    )
    return made.result(width, context)


def more(x: Signal, total: int, width: int, context: Context) -> Result:
    """Return a value some of whose channels are positions from there on; arguments as of `fewer`."""
    near = (x.places.total - 1) / (total - 1)
    level = x.mean**2

    def dealt(values: Array, places: Places, normals: Normals) -> Array:
        """Take each point of a row's own channel, or of another one."""
        found = _wide(values, len(places))
        others, own = found[normals.shuffled()], normals.uniform((len(places),)) < near
        own[:, 0] = True
        return np.where(own[:, None], found, others)

    made = _Change(
        x,
        total,
        lambda same, apart: (same, near * apart + (1 - near) * level),
        lambda same, apart: (same, apart),
        dealt,
    )
    return made.result(width, context)


def repeated(x: Signal, total: int, width: int, context: Context) -> Result:
    """Return a value each of whose positions is there several times; arguments as of `fewer`."""
    times = total // x.places.total
    again = (times - 1) / (total - 1)

    def dealt(values: Array, places: Places, normals: Normals) -> Array:
        """Take for each point another one of the row's, or the first one again."""
        found = _wide(values, len(places))
        first = normals.uniform((len(places),)) < again
        return np.where(first[:, None], found[..., :1], found)

    made = _Change(
        x,
        total,
        lambda same, apart: (same, again * same + (1 - again) * apart),
        lambda same, apart: (times * (same + (times - 1) * apart), times**2 * apart),
        dealt,
    )
    return made.result(width, context)


class _Change:
    """Another number of positions.

    Args:
        x: The value.
        total: Positions that there are then.
        forward: Second moments then, from those of the value.
        backward: Those of its gradient, from those of the gradient then.
        values: Values then that are no normal ones, from the value's and the places.
    """

    def __init__(
        self,
        x: Signal,
        total: int,
        forward: Levels,
        backward: Levels,
        values: Callable[[Array, Places, Normals], Array],
    ) -> None:
        self.x, self.forward, self.backward, self.values = x, forward, backward, values
        self.places = Places((total,), x.places.points)

    def result(self, width: int, context: Context) -> Result:
        places, every = self.places, Places((self.x.places.total,), self.x.places.points)
        whole, back = moved(self.x, every, context.normals)
        y = replace(whole, places=places, width=width, chain=None, profile=None)
        wanted = _changed(whole.covariance, every, places, self.forward)
        if len(whole.values) > 1 and whole.normal:
            values = context.population(wanted - whole.mean**2) + whole.mean
            y = replace(y, values=values, chain=Chain.of(values, whole.chance))
        elif len(whole.values) > 1:
            y = replace(y, values=self.values(whole.values, places, context.normals))

        def pullback(cotangent: Cotangent) -> Contributions:
            found = _changed(cotangent.covariance(places), places, every, self.backward)
            return [back(cotangent.through(found, cotangent.chance))]

        return Result(y, pullback)


def _changed(found: Covariance, source: Places, target: Places, levels: Levels) -> Covariance:
    """Return second moments between the points of one block from those of another."""
    made = [levels(same, apart[0]) for same, apart in (to_blocks(matrix, source) for matrix in split(found))]
    return joined(*(from_blocks(same, apart[None], target) for same, apart in made))


def _wide(values: Array, points: int) -> Array:
    """Return values at so many points, the first ones again where there are fewer."""
    return np.broadcast_to(values, (*values.shape[:1], SAMPLES, values.shape[2]))[
        ..., np.arange(points) % values.shape[2]
    ]
