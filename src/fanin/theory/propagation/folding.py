"""What is put around an image becomes a part of the convolution or the pool that reads it."""

from __future__ import annotations

from dataclasses import replace

from fanin.graph.signal import Node, SignalGraph

_NOT_NEGATIVE = ("relu", "relu6")
_LOWEST = -1e30
"""Nothing that a network computes is less."""


def folded(graph: SignalGraph) -> SignalGraph:
    """Return a graph whose windows read what was padded itself, as far as that is the same.

    Windows then know where the zeros are: one that is padded before has them where it lies at a border.

    Example:
        >>> window = {"kind": "average", "axes": (2,), "window": (3,), "padding": ((0, 0),)}
        >>> nodes = (
        ...     Node("x", "input", (), (8, 3, 4)),
        ...     Node("p", "pad", ("x",), (8, 3, 6), attributes={"padding": ((0, 0), (0, 0), (1, 1))}),
        ...     Node("y", "pool", ("p",), (8, 3, 4), attributes=window),
        ... )
        >>> node = folded(SignalGraph(nodes))["y"]
        >>> node.inputs, node["padding"]
        (('x',), ((1, 1),))
    """
    return replace(graph, nodes=tuple(_folded(node, graph) for node in graph))


def _folded(node: Node, graph: SignalGraph) -> Node:
    axes = _axes(node)
    while axes and _fits(pad := graph[node.inputs[0]], axes) and _same(node, pad, graph[pad.inputs[0]]):
        padding = tuple(
            (own[0] + pad["padding"][axis][0], own[1] + pad["padding"][axis][1])
            for own, axis in zip(node["padding"], axes, strict=True)
        )
        inputs = (pad.inputs[0], *node.inputs[1:])
        node = replace(node, inputs=inputs, attributes={**node.attributes, "padding": padding})
    return node


def _axes(node: Node) -> tuple[int, ...]:
    """Return the axes along which an op has windows."""
    if node.op == "convolution":
        return node["x_axes"][2:]
    return node["axes"] if node.op == "pool" else ()


def _fits(pad: Node, axes: tuple[int, ...]) -> bool:
    """Return whether a node pads these axes only."""
    return pad.op == "pad" and all(
        min(sides) >= 0 and (axis in axes or not any(sides)) for axis, sides in enumerate(pad["padding"])
    )


def _same(node: Node, pad: Node, source: Node) -> bool:
    """Return whether a window's own padding does what a source was padded with."""
    value = pad.get("value", 0)
    if node.op == "pool" and node["kind"] == "max":
        return value <= _LOWEST or (value == 0 and source.get("function") in _NOT_NEGATIVE)
    if value:
        return False
    if node.op == "convolution":
        return all(step == 1 for step in node["input_dilation"])
    return bool(node.get("count_pad", True))
