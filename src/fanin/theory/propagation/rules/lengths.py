"""Vectors of heads whose length a norm has made the same for all, as those of queries and keys may be."""

from __future__ import annotations

import math

from fanin.graph.signal import Node, SignalGraph

_KEEPING = ("reshape", "permute", "broadcast", "slice", "concat", "dropout")
_SCALING = ("multiply", "divide", "negative", "add", "subtract")


def of_one_length(name: str, graph: SignalGraph) -> bool:
    """Return whether the last axis of a value holds vectors of one length: norms of these, turned or scaled.

    Args:
        name: The value's node.
        graph: The graph.

    Example:
        >>> over = {"kind": "rms", "axes": (3,)}
        >>> nodes = (
        ...     Node("x", "input", (), (2, 6, 4, 8)),
        ...     Node("n", "norm", ("x",), (2, 6, 4, 8), attributes=over),
        ...     Node("q", "permute", ("n",), (2, 4, 6, 8), attributes={"axes": (0, 2, 1, 3)}),
        ... )
        >>> [of_one_length(name, SignalGraph(nodes)) for name in ("x", "q")]
        [False, True]
    """
    return bool(_same(graph[name], graph, graph[name].shape[-1]))


def _same(node: Node, graph: SignalGraph, size: int) -> bool | None:
    """Return whether vectors of a size have one length; None for what is no signal."""
    if node.op in ("parameter", "constant"):
        return None
    if node.op == "norm":
        over = math.prod(node.shape[axis] for axis in node["axes"])
        return node["kind"] in ("layer", "rms") and over == size
    turned = node.op == "elementwise" and node["function"] in _SCALING
    if node.op not in _KEEPING and not turned:
        return False
    found = {_same(graph[name], graph, size) for name in node.inputs} - {None}
    return None if not found else found == {True}
