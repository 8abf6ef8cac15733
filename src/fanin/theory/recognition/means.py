"""A sum over axes that is divided by how many there are."""

from __future__ import annotations

import math

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, function, number_first, scalar


def mean(draft: Draft, node: Node) -> None:
    """Put a sum and its division together."""
    number = scalar(node)
    if number is None or not function(node, "divide", "multiply"):
        return
    total = draft[node.inputs[0]]
    between: Node | None = None
    if total.op == "reshape":
        between, total = total, draft[total.inputs[0]]
    if total.op != "reduce" or total["function"] != "sum":
        return
    x = draft[total.inputs[0]]
    count = math.prod(x.shape[axis] for axis in total["axes"])
    divides = (
        function(node, "divide") and not number_first(node) and math.isclose(number, count, rel_tol=1e-6)
    )
    multiplies = function(node, "multiply") and math.isclose(number * count, 1, rel_tol=1e-5)
    if not divides and not multiplies:
        return
    attributes = {**total.attributes, "function": "mean"}
    if between is None:
        draft.put(node, "reduce", total.inputs, **attributes)
    else:
        inner = draft.add(node, "reduce", total.inputs, total.shape, **attributes)
        draft.put(node, "reshape", (inner.name,))


def mean_of_means(draft: Draft, node: Node) -> None:
    """Put a mean over some axes of a mean over others together."""
    if node.op != "reduce" or node["function"] != "mean" or node["keep"]:
        return
    inner = draft[node.inputs[0]]
    if inner.op != "reduce" or inner["function"] != "mean" or inner["keep"]:
        return
    if draft.is_read_elsewhere(inner, node):  # it is a value of its own, which a norm may be of
        return
    left = [axis for axis in range(len(draft[inner.inputs[0]].shape)) if axis not in inner["axes"]]
    axes = tuple(sorted((*inner["axes"], *(left[axis] for axis in node["axes"]))))
    draft.put(node, "reduce", inner.inputs, function="mean", axes=axes, keep=False)
