"""All patterns, in the order in which they build on each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fanin.graph.signal import Node, SignalGraph
from fanin.theory.recognition.activations import activations
from fanin.theory.recognition.attention import attention
from fanin.theory.recognition.bias import bias
from fanin.theory.recognition.draft import Draft
from fanin.theory.recognition.groups import group_norm
from fanin.theory.recognition.lengths import unit_length
from fanin.theory.recognition.losses import loss
from fanin.theory.recognition.masks import apart
from fanin.theory.recognition.means import mean, mean_of_means
from fanin.theory.recognition.norms import folded_norm, norm, scaled_norm
from fanin.theory.recognition.pools import average
from fanin.theory.recognition.same import finite, once, permutation
from fanin.theory.recognition.sinking import sunk
from fanin.theory.recognition.softmax import softmax

Pattern = Callable[[Draft, Node], None]
"""Looks at a node, and puts an operation with the same value in its place if it ends the pattern."""

_PATTERNS: tuple[Pattern, ...] = (
    finite, bias, mean, mean_of_means, average, softmax, norm, folded_norm, scaled_norm, scaled_norm,
    group_norm, scaled_norm, scaled_norm, unit_length,
)  # fmt: skip


def recognize(graph: SignalGraph) -> SignalGraph:
    """Return a graph with the same values whose operations are as large as those that people name.

    Softmax, attention, layer, RMS, batch, group and instance norm, average pools, biases, means and
    activations that were written in small operations, or taken apart by a framework, become one node each.
    A node that a pattern ends in keeps its name.

    Args:
        graph: The graph of any framework's model.

    Example:
        >>> nodes = (
        ...     Node("x", "input", (), (2, 3)),
        ...     Node("s", "elementwise", ("x",), (2, 3), attributes={"function": "sigmoid"}),
        ...     Node("y", "elementwise", ("x", "s"), (2, 3), attributes={"function": "multiply"}),
        ... )
        >>> [node.get("function") for node in recognize(SignalGraph(nodes, outputs=("y",)))]
        [None, 'silu']
    """
    draft = Draft(graph)
    once(draft)
    for pattern in _PATTERNS:
        for node in draft:
            pattern(draft, node)
    activations(draft)
    for pattern in (sunk, attention, apart, permutation, loss):
        for node in draft:
            pattern(draft, node)
    for node in draft:
        if node.body is not None:
            draft.nodes[node.name] = replace(node, body=recognize(node.body))
    return draft.finished()
