"""How far rules that approximate are off: relative standard errors of second moments, as measured.

`python -m benchmarks propagation` holds predictions against networks; these are what rules are off there,
beyond the chance of first weights. Each adds its square on a signal's way; a norm takes back what came
before.
"""

from __future__ import annotations

from collections.abc import Iterable

from fanin.graph.signal import Node
from fanin.theory.propagation.signal import Signal, Value

WEIGHTS = 0.05
"""Of gradients of weights, which products of two signals add up to."""

_FORWARD = {"convolution": 0.02, "pool": 0.02, "attention": 0.03, "recurrent": 0.02, "scan": 0.02}
_BACKWARD = {"convolution": 0.02, "pool": 0.02, "attention": 0.03, "recurrent": 0.05, "scan": 0.05}
_BATCH_NORM = 0.03  # backward: a channel's variance over few examples and positions
_NORMAL = 0.005  # forward: its outputs are normal numbers only nearly
_LOGITS = 0.07  # gradients of queries and keys


def doubt_of(node: Node, inputs: Iterable[Value]) -> float:
    """Return the relative variance of a node's second moment that approximations bring about.

    Example:
        >>> doubt_of(Node("conv", "convolution"), ()) == 0.02**2
        True
    """
    if node.op == "norm" and node["kind"] in ("layer", "rms"):
        return 0.0
    if node.op == "norm" and (node["kind"] != "batch" or node.get("train")):
        return _NORMAL**2
    before = max((value.doubt for value in inputs if isinstance(value, Signal)), default=0.0)
    return before + _FORWARD.get(node.op, 0.0) ** 2


def doubt_back(node: Node, place: int) -> float:
    """Return what a node adds to that of a gradient, on its way to one of the node's inputs.

    Example:
        >>> doubt_back(Node("y", "linear"), 0)
        0.0
    """
    if node.op == "norm" and node["kind"] == "batch" and node.get("train"):
        return _BATCH_NORM**2
    if node.op == "attention" and place < 2:
        return _LOGITS**2
    return _BACKWARD.get(node.op, 0.0) ** 2
