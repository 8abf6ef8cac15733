"""Softmax and its logarithm, from exponentials and their sum."""

from __future__ import annotations

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, bare, fits, function, spread


def softmax(draft: Draft, node: Node) -> None:
    """Put exp(x - m) / sum(exp(x - m)) together, or (x - m) - log(sum(exp(x - m))), whatever m is."""
    if function(node, "divide") and len(node.inputs) == 2:
        exponential, total = draft[node.inputs[0]], node.inputs[1]
        axis = _axis(draft, total, exponential)
        if axis is not None and function(exponential, "exp"):
            x = _unshifted(draft, exponential.inputs[0], axis)
            draft.put(node, "softmax", (x,), axis=axis, log=False)
    elif function(node, "subtract") and len(node.inputs) == 2:
        _logarithm(draft, node)


def _axis(draft: Draft, total: str, exponential: Node) -> int | None:
    """Return the one axis that a sum of exponentials runs over, if it stands for it in the whole shape."""
    made = bare(draft, total)
    if made.op != "reduce" or made["function"] != "sum" or len(made["axes"]) != 1:
        return None
    if made.inputs[0] != exponential.name:
        return None
    (axis,) = made["axes"]
    return axis if fits(draft[total].shape, exponential.shape, (axis,)) else None


def _unshifted(draft: Draft, name: str, axis: int) -> str:
    """Return a value without what is subtracted from it along the whole axis: softmax does not see it."""
    node = draft[name]
    if function(node, "subtract") and len(node.inputs) == 2:
        x, shift = (draft[value] for value in node.inputs)
        same = spread(shift.shape, len(x.shape))[axis] == 1 if len(shift.shape) <= len(x.shape) else False
        if x.shape == node.shape and same:
            return x.name
    return name


def _logarithm(draft: Draft, node: Node) -> None:
    value, subtracted = node.inputs
    found = log_sum(draft, subtracted)
    if found is None or found[0] != value or not fits(draft[subtracted].shape, node.shape, (found[1],)):
        return
    draft.put(node, "softmax", (_unshifted(draft, *found),), axis=found[1], log=True)


def log_sum(draft: Draft, name: str) -> tuple[str, int] | None:
    """Return x and the axis where a node is log(sum(exp(x))) over it, or log(sum(exp(x - m))) + m."""
    made, shift = bare(draft, name), None
    if function(made, "add") and len(made.inputs) == 2:
        for log, other in (made.inputs, made.inputs[::-1]):
            if function(bare(draft, log), "log"):
                made, shift = bare(draft, log), other
                break
    if not function(made, "log"):
        return None
    total = bare(draft, made.inputs[0])
    if function(total, "abs"):  # as JAX does, for sums with signs
        total = bare(draft, total.inputs[0])
    if total.op != "reduce" or total["function"] != "sum" or len(total["axes"]) != 1:
        return None
    exponential, (axis,) = draft[total.inputs[0]], total["axes"]
    if not function(exponential, "exp"):
        return None
    inside = exponential.inputs[0]
    if shift is None:
        return inside, axis
    x = _unshifted(draft, inside, axis)
    same = x != inside and bare(draft, shift) is bare(draft, draft[inside].inputs[1])
    return (x, axis) if same else None
