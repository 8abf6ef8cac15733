r"""Softmax over channels, in groups of as many independent rows as there are channels.

    y = p,      g_x = p (g - sum_j p_j g_j)
    y = log p,  g_x = g - p sum_j g_j

With b = p s or s, of a gradient that is s times independent normal numbers of second moments C:

    E[g_x g_x'] = C E[b b' (1 - p - p') + p p' sum_j b_j b_j']

Of normal logits E[y^2] and E[g_x^2] are exact, since in groups few classes have nearly all of p.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import Covariance, alike
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rules.shares import over_positions
from fanin.theory.propagation.signal import (
    STILL,
    Contributions,
    Result,
    Signal,
    Unknown,
    Value,
)
from fanin.theory.softmax import softmax_moments

_LARGEST = 0.9  # relative change of a variance that networks are taken to differ by


def softmax(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return a softmax, or its logarithm, over channels."""
    x = inputs[0]
    if not isinstance(x, Signal):
        return Result(x if isinstance(x, Unknown) else Unknown(f"{node.name}: it reads no signal"))
    atoms = context.axes[node.inputs[0]][node["axis"]]
    roles, classes = {atom.role for atom in atoms}, int(np.prod([atom.size for atom in atoms]))
    if len(x.values) == 1:
        return Result(Unknown(f"{node.name}: a softmax of what all channels share"))
    if roles == {"position"}:
        return over_positions(x, classes, bool(node.get("log", False)), context)
    if roles != {"channel"}:
        return Result(Unknown(f"{node.name}: a softmax over {' and '.join(sorted(roles)) or 'nothing'}s"))
    groups = Groups(len(x.values), classes)
    shares, log = groups.softmax(x.values), node.get("log", False)
    forward, backward = _exact(x, classes) if x.normal and classes > 1 else (None, None)
    with np.errstate(divide="ignore"):
        values = groups.log_softmax(x.values) if log else shares
    if forward is not None and not log:
        values = 1 / classes + (values - 1 / classes) * _ratio(
            forward / classes - classes**-2, np.var(shares, axis=0)
        )
    y = replace(x, values=values, chance=STILL, chain=None, normal=False, profile=None)

    def pullback(cotangent: Cotangent) -> Contributions:
        back = _Back(groups, shares, x.places, log)
        found = sum((back.of(part) for part in cotangent.parts), np.zeros(()))
        if forward is not None and backward is not None:
            own = np.einsum("abab->ab", back.of(Part(np.ones((1, 1, 1)), np.ones(found.shape))))
            scale = _ratio(1 - 2 / classes + forward if log else backward / classes, own)
            found = found * scale[:, :, None, None] * scale
        return [cotangent.through(alike(found, x.places), cotangent.chance)]

    return Result(y, pullback)


def _exact(x: Signal, classes: int) -> tuple[Array, Array]:
    """Return E sum p^2 and E sum (dp / dx)^2 at each place, on average over networks, each (points,)."""
    variances = np.broadcast_to(np.var(x.values, axis=0).mean(axis=0), (len(x.places),))
    change = min(float(np.std(x.chance[1])), _LARGEST)
    aside = [
        [softmax_moments(classes, round(float(variance * (1 + sign * change)), 9)) for variance in variances]
        for sign in (1, -1)
    ]
    found = np.mean(aside, axis=0)
    return found[:, 0], found[:, 1]


def _ratio(wanted: Array, found: Array) -> Array:
    return np.sqrt(np.divide(wanted, found, out=np.ones_like(found), where=found > 0))


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

    def of(self, values: Array) -> Array:
        """Return the rows of each group, (groups, rows of each, ...)."""
        return values[self._order].reshape(-1, self.each, *values.shape[1:])

    def sums(self, values: Array) -> Array:
        """Return the sum over the classes of each row's group, for each row."""
        return np.sum(self.of(values), axis=1)[self._group] * (self.classes / self.each)

    def softmax(self, values: Array) -> Array:
        """Return exp x / sum exp x."""
        powers = np.exp(values - np.max(values, axis=0, keepdims=True))
        return powers / self.sums(powers)

    def log_softmax(self, values: Array) -> Array:
        """Return x - log sum exp x."""
        highest = np.max(values, axis=0, keepdims=True)
        return values - highest - np.log(self.sums(np.exp(values - highest)))


class _Back:
    """Gradients with respect to logits.

    Args:
        groups: The groups.
        shares: p.
        places: Of the logits.
        log: Whether gradients are with respect to log p.
    """

    def __init__(self, groups: Groups, shares: Array, places: Places, log: bool) -> None:
        self._groups = groups
        self._whole = (len(shares), SAMPLES, len(places))
        self._shares = np.broadcast_to(shares, self._whole)
        self._log = log

    def of(self, part: Part) -> Covariance:
        """Return E[g_x g_x'] of a part of the gradient with respect to the result."""
        slope = np.broadcast_to(part.slope, self._whole)
        p, b = (self._flat(each) for each in (self._shares, slope if self._log else slope * self._shares))
        crossed = (b * p).T @ b
        found = (b.T @ b - crossed - crossed.T) / len(b)
        ours, theirs = (self._groups.of(each) for each in (p, b))
        scale = self._groups.classes / self._groups.each / self._groups.used
        for mine, other in zip(ours, theirs, strict=True):
            found += scale * (mine.T @ mine) * (other.T @ other)
        return found.reshape(part.inner.shape) * part.inner

    @staticmethod
    def _flat(values: Array) -> Array:
        return values.reshape(len(values), -1)
