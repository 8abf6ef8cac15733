"""Parts of one value that are joined again, as a roll or a reflection does: one choice of positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fanin.graph.axes import Axes
from fanin.graph.signal import Node, SignalGraph


def gathered(graph: SignalGraph, axes: Mapping[str, Axes]) -> SignalGraph:
    """Return a graph where what joins slices of one value is itself a slice of it, with an `index`.

    Parts that are followed on their own would no longer know what they have in common.

    Args:
        graph: The graph.
        axes: What its values' axes are made of.

    Example:
        >>> from fanin.graph.axes import axes_of
        >>> part = {"axis": 1, "step": 1, "drop": False}
        >>> nodes = (
        ...     Node("x", "input", (), (2, 4, 3)),
        ...     Node("a", "slice", ("x",), (2, 1, 3), attributes={**part, "start": 3, "stop": 4}),
        ...     Node("b", "slice", ("x",), (2, 3, 3), attributes={**part, "start": 0, "stop": 3}),
        ...     Node("rolled", "concat", ("a", "b"), (2, 4, 3), attributes={"axis": 1}),
        ... )
        >>> graph = SignalGraph(nodes)
        >>> gathered(graph, axes_of(graph))["rolled"]["index"]
        (3, 0, 1, 2)
    """
    return replace(graph, nodes=tuple(_gathered(node, graph, axes) for node in graph))


def _gathered(node: Node, graph: SignalGraph, axes: Mapping[str, Axes]) -> Node:
    if node.op != "concat" or {atom.role for atom in axes[node.name][node["axis"]]} != {"position"}:
        return node
    root, index = _places(node, graph, node["axis"])
    if root is node:
        return node
    attributes = {"axis": node["axis"], "index": tuple(index.tolist()), "drop": False}
    return replace(node, op="slice", inputs=(root.name,), attributes=attributes)


def _places(node: Node, graph: SignalGraph, axis: int) -> tuple[Node, np.ndarray]:
    """Return the value that a node is a part of along an axis, and which of its places."""
    if node.op == "slice" and node["axis"] == axis and not node.get("drop"):
        root, index = _places(graph[node.inputs[0]], graph, axis)
        return root, index[node["start"] : node["stop"] : node.get("step", 1)]
    if node.op == "concat" and node["axis"] == axis:
        parts = [_places(graph[name], graph, axis) for name in node.inputs]
        if len({root.name for root, _ in parts}) == 1:
            return parts[0][0], np.concatenate([index for _, index in parts])
    return node, np.arange(node.shape[axis])
