"""Mean losses that a function ends in."""

from __future__ import annotations

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, function
from fanin.theory.recognition.statistics import root_of_square


def loss(draft: Draft, node: Node) -> None:
    """Put the mean squared difference, or the mean cross-entropy, that is the function's result together."""
    if node.name not in draft.graph.outputs or node.shape:
        return
    negative, mean = _unsigned(draft, node)
    if (
        mean.op != "reduce"
        or mean["function"] != "mean"
        or len(mean["axes"]) != len(draft[mean.inputs[0]].shape)
    ):
        return
    inside, each = _unsigned(draft, draft[mean.inputs[0]])
    if negative == inside:
        _squared(draft, node, each)
    else:
        _cross_entropy(draft, node, each)


def _unsigned(draft: Draft, node: Node) -> tuple[bool, Node]:
    """Return whether a node is another one's negative, and that one."""
    negative = False
    while function(node, "negative"):
        negative, node = not negative, draft[node.inputs[0]]
    return negative, node


def _squared(draft: Draft, node: Node, each: Node) -> None:
    root = root_of_square(draft, each.name)
    difference = draft[root] if root is not None else each
    if root is None or not function(difference, "subtract") or len(difference.inputs) != 2:
        return
    if all(draft[name].shape == difference.shape for name in difference.inputs):
        draft.put(node, "loss", difference.inputs, kind="mse", reduction="mean")


def _cross_entropy(draft: Draft, node: Node, each: Node) -> None:
    if each.op != "reduce" or each["function"] != "sum" or len(each["axes"]) != 1:
        return
    product = draft[each.inputs[0]]
    if not function(product, "multiply") or len(product.inputs) != 2:
        return
    for logs, targets in (product.inputs, product.inputs[::-1]):
        softmax = draft[logs]
        same = softmax.op == "softmax" and softmax["log"] and softmax["axis"] == each["axes"][0]
        if same and draft[targets].shape == softmax.shape:
            inputs = (*softmax.inputs, targets)
            draft.put(node, "loss", inputs, kind="cross_entropy", axis=softmax["axis"], reduction="mean")
            return
