r"""Attention within windows: each query sees the keys of its own window.

All positions are taken to be alike, those of one window no more than those of two. Outputs of two windows
have in common what their values have, since weights sum to 1; gradients of values what the sums of weights
over n queries bring about, and those of queries and keys nothing:

    E[y y'] = E[v v'],  E[g_v g_v'] = (n / n_keys)^2 E[g g'],  E[g_q g_q'] = E[g_k g_k'] = 0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.alignment import Windows, between, returned
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, split
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.signal import Contributions, Result, Signal, Unknown

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
    of_query, of_key = (Windows(size, total // size) for size, total in zip(sizes, totals, strict=False))
    (query, key, value), normals = operands, context.normals
    made = attended((of_query.one(query, normals), of_key.one(key, normals), of_key.one(value, normals)))
    inner, pullback = made
    if not isinstance(inner, Signal) or pullback is None:
        return made
    y = _drawn(inner, of_query, of_query.of_all(inner.covariance, inner.places, _apart(value)), context)

    def back(cotangent: Cotangent) -> Contributions:
        outer = between(cotangent.covariance(y.places), y.places, inner.places)
        found = pullback(cotangent.through(outer, cotangent.chance))
        far = _apart(y, cotangent) * (of_query.size / of_key.size) ** 2
        shares = zip(found, (of_query, of_key, of_key), (0 * far, 0 * far, far), operands, strict=False)
        return [*(returned(*share) for share in shares), *found[3:]]

    return Result(y, back)


def _seen(name: str, context: Context) -> int:
    """Return how many positions are along the axis that attention is over."""
    return math.prod(atom.size for atom in context.axes[name][-2] if atom.role == "position")


def _apart(x: Signal, cotangent: Cotangent | None = None) -> Array:
    """Return second moments of a value or its gradient at two positions, of one example and of two, (2,)."""
    found = x.covariance if cotangent is None else cotangent.covariance(x.places)
    one = between(found, x.places, Places((x.places.total,), 2))
    return np.array([matrix[0, -1] for matrix in split(one)])


def _drawn(inner: Signal, windows: Windows, wanted: Covariance, context: Context) -> Signal:
    values = context.population(wanted)
    chain = Chain.of(values, inner.chance)
    places, examples = windows.all(inner.places.points), inner.examples // windows.number
    return replace(inner, values=values, places=places, examples=examples, chain=chain)
