"""Numbers that are means or sums over all elements of a value, whatever the order in which they are taken."""

from __future__ import annotations

import math
from typing import NamedTuple

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, function, number_first, scalar


class Total(NamedTuple):
    """A factor times the sum over all elements of a value.

    Args:
        factor: The factor.
        each: The value.
    """

    factor: float
    each: Node


def total(draft: Draft, node: Node) -> Total | None:
    """Return what a number is a mean or a sum of; None where it is neither.

    What is a loss already is a sum of itself.
    """
    if node.shape:
        return None
    factor, summed = 1.0, False
    while True:
        more, inner = scaled(draft, node)
        factor *= more
        if inner.op == "reduce" and inner["function"] in ("mean", "sum"):
            node, summed = draft[inner.inputs[0]], True
            if inner["function"] == "mean":
                factor *= math.prod(inner.shape) / max(math.prod(node.shape), 1)
        elif inner.op == "reshape":
            node = draft[inner.inputs[0]]
        else:
            return Total(factor, inner) if summed or inner.op == "loss" else None


def scaled(draft: Draft, node: Node) -> tuple[float, Node]:
    """Return the number and the value whose product a node is; the number is 1 where it is no product."""
    factor = 1.0
    while True:
        number = scalar(node)
        if function(node, "negative"):
            factor = -factor
        elif function(node, "multiply") and number is not None:
            factor *= number
        elif function(node, "divide") and number and not number_first(node):
            factor /= number
        else:
            return factor, node
        node = draft[node.inputs[0]]
