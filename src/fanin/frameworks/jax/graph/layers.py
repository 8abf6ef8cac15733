"""Layers of a program that has no modules: each is where its parameters are read."""

from __future__ import annotations

from dataclasses import replace

from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.values import Made
from fanin.graph.signal import Node


def add_layers_of_parameters(graph: Builder) -> None:
    """Give each node that reads parameters their path as its layer, and end the layers at their last ones.

    Parameters of one dictionary are one layer's; those at the top are one each, and what is added to a
    layer's output is still of that layer.
    """
    owners: dict[str, str] = {}
    for name, node in graph.nodes.items():
        path = _owner(graph, node, owners)
        if path:
            owners[name] = path
            graph.nodes[name] = replace(node, source=replace(node.source, layer=path, type=node.op))
            if _varies(graph, node):
                graph.layers[path] = name


def _owner(graph: Builder, node: Node, owners: dict[str, str]) -> str:
    """Return the path of the parameters that a node is the first to mix with data; else nothing."""
    if node.op == "parameter":
        above, _, own = str(node["weight"]).rpartition(".")
        return above or own
    weights = [name for name in node.inputs if not _varies(graph, graph.nodes[name]) and name in owners]
    if not weights:
        return ""
    path = owners[weights[0]]
    if path not in graph.weights or node.op != "elementwise":
        return path
    # One at the top that scales or shifts a layer's output is of that layer, and else of none.
    varying = (name for name in node.inputs if _varies(graph, graph.nodes[name]))
    return next((owners[name] for name in varying if name in owners), "")


def _varies(graph: Builder, node: Node) -> bool:
    return graph.varies(Made(node.name, node.shape, node.dtype))
