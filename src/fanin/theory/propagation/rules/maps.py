r"""Products with matrices that are known: interpolations, means over windows of several sizes, transforms.

Over positions they are sums with weights, over channels sums of independent values, y_i = sum_j m_ij x_j:

    E[y y'] = mean_i sum_j m_ij^2 (E[x x'] - E[x] E[x']) + mean_i (sum_j m_ij)^2 E[x] E[x']
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fanin.graph.axes import letters
from fanin.graph.signal import Node
from fanin.theory.propagation.alignment import moved
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rules.pools import weighed
from fanin.theory.propagation.rules.products import of_two
from fanin.theory.propagation.signal import Contributions, Fixed, Result, Signal, Unknown, Value


def matmul(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return the product of a signal with a known matrix, or with another signal."""
    x, y = inputs
    if isinstance(x, Signal) and isinstance(y, Signal):
        return of_two(node, x, y, context)
    found = _Map.of(node, inputs)
    if found is None:
        return Result(Unknown(f"matmul ({node.name})"))
    roles = {atom.role for atom in context.axes[node.inputs[found.place]][found.axis]}
    if roles == {"channel"}:
        made = _over_channels(node, found, context)
    elif roles <= {"position"} and found.signal.places.total == 1:
        made = _of_one_position(node, found)
    elif roles == {"position"}:
        made = _over_positions(node, found, context)
    else:
        return Result(Unknown(f"{node.name}: it sums over {', '.join(sorted(roles))}"))
    pullback = made.pullback
    if pullback is None:
        return made

    def back(cotangent: Cotangent) -> Contributions:
        given: Contributions = [None, None]
        given[found.place] = pullback(cotangent)[0]
        return given

    return Result(made.value, back)


@dataclass(frozen=True, eq=False)
class _Map:
    """A signal, and the matrix that one of its axes is multiplied with.

    Args:
        signal: The signal.
        place: Which operand it is.
        axis: The axis.
        matrix: (outputs, inputs).
    """

    signal: Signal
    place: int
    axis: int
    matrix: Array

    @classmethod
    def of(cls, node: Node, inputs: list[Value]) -> _Map | None:
        terms, out = letters(node["equation"])
        for place, (x, known) in enumerate((inputs, inputs[::-1])):
            mine, theirs = terms[place], terms[1 - place]
            summed = [letter for letter in theirs if letter in mine and letter not in out]
            made = [letter for letter in theirs if letter not in mine]
            if not isinstance(x, Signal) or not isinstance(known, Fixed) or known.array is None:
                continue
            if len(theirs) == 2 and len(summed) == len(made) == 1:
                matrix = np.broadcast_to(known.array, known.shape)
                matrix = matrix if theirs[0] == made[0] else matrix.T
                return cls(x, place, mine.index(summed[0]), matrix)
        return None


def _of_one_position(node: Node, found: _Map) -> Result:
    """Return a value that is the same everywhere, which stays so if all outputs sum to the same."""
    sums = found.matrix.sum(axis=1)
    if np.ptp(sums) > 1e-5 * np.max(np.abs(sums)):
        return Result(Unknown(f"{node.name}: sums of one place that differ"))
    factor, x = float(sums[0]), found.signal
    return Result(
        replace(x, values=x.values * factor, chain=None), lambda cotangent: [cotangent.times(factor)]
    )


def _over_positions(node: Node, found: _Map, context: Context) -> Result:
    x, name = found.signal, node.inputs[found.place]
    shape = context.graph[name].shape
    axes = [place for place, axis in enumerate(context.axes[name]) if any(a.role == "position" for a in axis)]
    weights = [found.matrix if at == found.axis else np.eye(shape[at]) for at in axes]
    points = context.points[node.name]
    if x.places.grid and x.places.grid == tuple(shape[at] for at in axes):
        return weighed(x, weights, Places.image(tuple(map(len, weights)), points), context)
    if len(axes) == 1 and len(found.matrix) == x.places.total:
        return weighed(x, weights, x.places, context)
    whole, back = moved(x, Places((x.places.total,), x.places.points), context.normals)
    made = weighed(whole, weights, Places((math.prod(map(len, weights)),), points), context)
    pullback = made.pullback
    assert pullback is not None
    return Result(made.value, lambda cotangent: [each and back(each) for each in pullback(cotangent)])


def _over_channels(node: Node, found: _Map, context: Context) -> Result:
    """Return sums over channels, which are normal numbers where they are many."""
    x, (outputs, inputs) = found.signal, found.matrix.shape
    squares = float(np.sum(found.matrix**2))
    sums = found.matrix.sum(axis=1)
    mean = np.broadcast_to(np.mean(x.values, axis=0), (SAMPLES, len(x.places)))
    level = mean[:, :, None, None] * mean
    wanted = squares / outputs * (x.covariance - level) + float(np.var(sums)) * level
    values = context.population(wanted) + float(np.mean(sums)) * mean
    width = context.size(node.name, "channel")
    chain = Chain.of(values, x.chance)
    y = Signal(values, x.places, width, x.examples, x.chance, chain=chain, normal=True)

    def pullback(cotangent: Cotangent) -> Contributions:
        back = squares / inputs * cotangent.covariance(x.places)
        return [cotangent.through(back, cotangent.chance)]

    return Result(y, pullback)
