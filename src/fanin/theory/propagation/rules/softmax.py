"""Softmax over channels, in groups of as many independent rows as there are channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import covariance, normal
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.signal import (
    STILL,
    Contributions,
    Result,
    Signal,
    Unknown,
    Value,
)


def softmax(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return a softmax, or its logarithm, over channels."""
    x = inputs[0]
    if not isinstance(x, Signal):
        return Result(x if isinstance(x, Unknown) else Unknown(f"{node.name}: it reads no signal"))
    atoms = context.axes[node.inputs[0]][node["axis"]]
    if {atom.role for atom in atoms} != {"channel"} or len(x.values) == 1:
        return Result(Unknown(f"{node.name}: a softmax over positions outside of attention"))
    classes = int(np.prod([atom.size for atom in atoms]))
    groups = Groups(len(x.values), classes)
    shares = groups.softmax(x.values)
    log = node.get("log", False)
    with np.errstate(divide="ignore"):
        values = groups.log_softmax(x.values) if log else shares
    y = replace(x, values=values, chance=STILL, chain=None, normal=False, profile=None)

    def pullback(cotangent: Cotangent) -> Contributions:
        g = _drawn(cotangent, x, context)
        back = g - shares * groups.sums(g) if log else shares * (g - groups.sums(shares * g))
        return [cotangent.through(covariance(back, x.places), cotangent.chance)]

    return Result(y, pullback)


def _drawn(cotangent: Cotangent, x: Signal, context: Context) -> Array:
    drawn = [part.slope * normal(context.normals, part.inner) for part in cotangent.parts]
    return np.sum(drawn, axis=0)


class Groups:
    """Rows in groups that stand for the classes of one softmax.

    Args:
        rows: All rows.
        classes: How many classes there are. Where they are more than the rows, sums over them are means
            over the rows times their number.
    """

    def __init__(self, rows: int, classes: int) -> None:
        self.classes = classes
        self.each = min(classes, rows)
        self.used = rows // self.each * self.each
        # Rows that follow each other fill the space evenly, and so are not independent.
        self._order = np.random.default_rng(rows).permutation(self.used)
        group = np.empty(self.used, int)
        group[self._order] = np.arange(self.used) // self.each
        self._group = group[np.arange(rows) % self.used]

    def sums(self, values: Array) -> Array:
        """Return the sum over the classes of each row's group, for each row."""
        grouped = values[self._order].reshape(-1, self.each, *values.shape[1:])
        return np.sum(grouped, axis=1)[self._group] * (self.classes / self.each)

    def softmax(self, values: Array) -> Array:
        """Return exp x / sum exp x."""
        powers = np.exp(values - np.max(values, axis=0, keepdims=True))
        return powers / self.sums(powers)

    def log_softmax(self, values: Array) -> Array:
        """Return x - log sum exp x."""
        highest = np.max(values, axis=0, keepdims=True)
        return values - highest - np.log(self.sums(np.exp(values - highest)))
