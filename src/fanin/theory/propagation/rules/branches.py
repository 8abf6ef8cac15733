"""Statistics over a few axes of channels, as sums of branches are, while other channels stay."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fanin.graph.axes import Atom
from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.signal import Contributions, Result, Signal

MOST = 16
"""Of more terms the mean is taken for a number."""

_STATISTICS: Mapping[str, Callable[..., Array]] = {
    "max": np.max,
    "mean": np.mean,
    "min": np.min,
    "sum": np.sum,
}


def over_branches(node: Node, x: Signal, gone: Sequence[Atom], context: Context) -> Result | None:
    """Return a statistic over some channels, row by row; None where it is over all, or over many of them.

    Args:
        node: The reduction.
        x: What is reduced.
        gone: Axes of channels that it is over.
        context: Of the run.
    """
    branches = math.prod(atom.size for atom in gone)
    left = [atom for atom in context.atoms(node.inputs[0], "channel") if atom not in gone]
    if branches > MOST or not left or len(x.values) == 1 or node["function"] not in _STATISTICS:
        return None
    rows = _Rows(context, context.atoms(node.inputs[0], "channel"), left, len(x.values))
    every = x.values[rows.read]  # (branches, rows, samples, points)
    values = _STATISTICS[node["function"]](every, axis=0)
    width = context.size(node.name, "channel")
    normal = x.normal and node["function"] in ("mean", "sum")
    y = replace(x, values=values, width=width, chain=None, normal=normal, profile=None, noise=None)

    def pullback(cotangent: Cotangent) -> Contributions:
        slopes = _slopes(node["function"], every, values)
        parts = tuple(_returned(part, slopes, rows) for part in cotangent.parts)
        return [replace(cotangent, parts=parts)]

    return Result(y, pullback)


def _slopes(function: str, every: Array, values: Array) -> Array:
    """Return derivatives with respect to each branch, (branches, rows or 1, samples or 1, points or 1)."""
    if function in ("mean", "sum"):
        each = 1.0 if function == "sum" else 1 / len(every)
        return np.full((len(every), 1, 1, 1), each)
    return (every == values).astype(float)


def _returned(part: Part, slopes: Array, rows: _Rows) -> Part:
    """Return the gradient of a statistic as one of the branches, whose rows are others."""
    if len(part.slope) == 1 and slopes[0].size == 1:
        return part.times(slopes[0])
    whole = slopes * part.slope  # (branches, rows, ...)
    whole = np.broadcast_to(whole, (len(whole), len(rows.made), *whole.shape[2:]))
    return Part(whole[rows.branch, rows.made], part.inner, known=part.known, noise=part.noise)


class _Rows:
    """Which rows of branches a row of their statistic stands for, and the other way round.

    Args:
        context: Of the run.
        atoms: The axes of channels before.
        left: Those that stay.
        count: How many rows there are.
    """

    def __init__(self, context: Context, atoms: Sequence[Atom], left: Sequence[Atom], count: int) -> None:
        sizes = [atom.size for atom in atoms]
        gone = [atom for atom in atoms if atom not in left]
        before, after = (context.channels(_size(each)) for each in (atoms, left))
        places = dict(zip(atoms, np.unravel_index(before, sizes), strict=True))
        self.branch = _flat(gone, places, count)
        channel = _flat(left, places, count)
        starts = np.searchsorted(after, np.arange(_size(left)))
        nth = np.arange(count) - np.searchsorted(before, before)
        self.made = np.minimum(starts[channel] + nth, count - 1)
        """The row of the statistic for each row of the branches, (rows,)."""
        order = np.arange(count) - starts[after]
        found = dict(zip(left, np.unravel_index(after, [atom.size for atom in left]), strict=True))
        self.read = np.stack(
            [self._of(branch, gone, found, atoms, before, order) for branch in range(_size(gone))]
        )
        """The row of each branch for each row of the statistic, (branches, rows)."""

    def _of(
        self,
        branch: int,
        gone: Sequence[Atom],
        found: Mapping[Atom, np.ndarray],
        atoms: Sequence[Atom],
        before: np.ndarray,
        order: np.ndarray,
    ) -> np.ndarray:
        at = dict(zip(gone, np.unravel_index([branch], [atom.size for atom in gone]), strict=True))
        wanted = _flat(atoms, {**found, **at}, len(before))
        first, last = (np.searchsorted(before, wanted, side) for side in ("left", "right"))
        return np.minimum(first + order % np.maximum(last - first, 1), len(before) - 1)


def _size(atoms: Sequence[Atom]) -> int:
    return math.prod(atom.size for atom in atoms)


def _flat(atoms: Sequence[Atom], places: Mapping[Atom, np.ndarray], count: int) -> np.ndarray:
    """Return one index for those along some axes."""
    found = np.zeros(count, int)
    for atom in atoms:
        found = found * atom.size + places[atom]
    return found
