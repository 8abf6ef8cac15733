"""Values divided by their length, as for cosines."""

from __future__ import annotations

import math

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, fits, function, scalar
from fanin.theory.recognition.statistics import root_of_square, unrepeated

_LEAST = 1e-6
"""A length is kept above at most this, so that nothing is divided by 0."""


def unit_length(draft: Draft, node: Node) -> None:
    """Put x / sqrt(sum of x^2) together: an RMS norm, times one by the root of the number of terms."""
    if not function(node, "divide") or len(node.inputs) != 2 or draft[node.inputs[0]].shape != node.shape:
        return
    x, by = node.inputs
    while draft[by].op == "broadcast":
        by = draft[by].inputs[0]
    axes = _length_of(draft, by, x)
    if axes is None or not fits(draft[by].shape, node.shape, axes):
        return
    terms = math.prod(node.shape[axis] for axis in axes)
    eps = _LEAST**2 / terms
    attributes = {"kind": "rms", "axes": axes, "channel": max(axes), "eps": eps, "slots": ()}
    norm = draft.add(node, "norm", (x,), node.shape, **attributes)
    draft.put(node, "elementwise", (norm.name,), function="multiply", scalars=(None, terms**-0.5))


def _length_of(draft: Draft, name: str, x: str) -> tuple[int, ...] | None:
    """Return the axes over which a node is the length of a value; None where it is none."""
    node = unrepeated(draft, name)
    while _kept_positive(node):
        node = unrepeated(draft, node.inputs[0])
    if not function(node, "sqrt"):
        return None
    total = unrepeated(draft, node.inputs[0])
    if total.op != "reduce" or total["function"] != "sum" or root_of_square(draft, total.inputs[0]) != x:
        return None
    return tuple(total["axes"])


def _kept_positive(node: Node) -> bool:
    """Return whether a node keeps a length from being 0, and does nothing else to it."""
    number = scalar(node)
    least = function(node, "maximum", "add") and number is not None and 0 <= number <= _LEAST
    return least or function(node, "relu")
