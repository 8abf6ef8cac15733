r"""Attention within windows: each query sees the keys of its own window.

All positions are taken to be alike, those of one window no more than those of two. Outputs of two windows
have in common what their values have, since weights sum to 1; gradients of values what the sums of weights
over n queries bring about, and those of queries and keys nothing:

    E[y y'] = E[v v'],  E[g_v g_v'] = (n / n_keys)^2 E[g g'],  E[g_q g_q'] = E[g_k g_k'] = 0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.alignment import between, moved
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, from_blocks, joined, split, to_blocks
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.signal import Chain, Contributions, Result, Signal, Unknown

Operands = tuple[Signal, Signal, Signal]


def in_windows(
    node: Node, operands: Operands, context: Context, attended: Callable[[Operands], Result]
) -> Result | None:
    """Return attention within windows; None where queries see the keys of all positions.

    Args:
        node: The attention.
        operands: Queries, keys and values.
        context: Of the run.
        attended: What it makes of the queries, keys and values of one window.
    """
    sizes = [_seen(name, context) for name in node.inputs[:2]]
    totals = [x.places.total for x in operands]
    if totals[:2] == sizes:
        return None
    if totals[0] * sizes[1] != totals[1] * sizes[0] or totals[1] != totals[2]:
        return Result(Unknown(f"{node.name}: it sees some positions, and not those of windows"))
    of_query, of_key = (_Windows(size, total // size) for size, total in zip(sizes, totals, strict=False))
    query, key, value = operands
    made = attended((of_query.one(query, context), of_key.one(key, context), of_key.one(value, context)))
    inner, pullback = made
    if not isinstance(inner, Signal) or pullback is None:
        return made
    y = _drawn(inner, of_query, of_query.of_all(inner.covariance, inner.places, _apart(value)), context)

    def back(cotangent: Cotangent) -> Contributions:
        outer = between(cotangent.covariance(y.places), y.places, inner.places)
        found = pullback(cotangent.through(outer, cotangent.chance))
        far = _apart(y, cotangent) * (of_query.size / of_key.size) ** 2
        shares = zip(found, (of_query, of_key, of_key), (0 * far, 0 * far, far), operands, strict=False)
        return [*(_returned(*share) for share in shares), *found[3:]]

    return Result(y, back)


def _seen(name: str, context: Context) -> int:
    """Return how many positions are along the axis that attention is over."""
    return math.prod(atom.size for atom in context.axes[name][-2] if atom.role == "position")


def _apart(x: Signal, cotangent: Cotangent | None = None) -> Array:
    """Return second moments of a value or its gradient at two positions, of one example and of two, (2,)."""
    found = x.covariance if cotangent is None else cotangent.covariance(x.places)
    one = between(found, x.places, Places((x.places.total,), 2))
    return np.array([matrix[0, -1] for matrix in split(one)])


def _drawn(inner: Signal, windows: _Windows, wanted: Covariance, context: Context) -> Signal:
    values = context.population(wanted)
    chain = Chain(values, inner.chance, lambda z: z)
    return replace(inner, values=values, places=windows.all(inner.places.points), chain=chain)


def _returned(each: Cotangent | None, windows: _Windows, far: Array, x: Signal) -> Cotangent | None:
    if each is None:
        return None
    one, every = Places((windows.size,), x.places.points), windows.all(x.places.points)
    found = windows.of_all(each.covariance(one), one, far)
    return replace(each.through(between(found, every, x.places), each.chance), met=each.met)


@dataclass(frozen=True)
class _Windows:
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

    def one(self, x: Signal, context: Context) -> Signal:
        """Return a value in one window."""
        whole = moved(x, self.all(x.places.points), context.normals).signal
        places = Places((self.size,), x.places.points)
        values = whole.values if whole.values.shape[2] == 1 else whole.values[..., : len(places)]
        return replace(whole, values=values, places=places, chain=None)

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
