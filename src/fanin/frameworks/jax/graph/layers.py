"""Layers of a program that has no modules: each is where its parameters are read."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from fanin.frameworks.jax.graph.builder import Builder, numbered
from fanin.frameworks.jax.graph.values import Made
from fanin.graph.signal import Node


class _Owner(NamedTuple):
    """The path of parameters, and which of a stack of them they are, as a loop over layers reads them."""

    path: str = ""
    step: int = 0


def add_layers_of_parameters(graph: Builder) -> None:
    """Give each node that reads parameters their path as its layer, and end the layers at their last ones.

    Parameters of one dictionary are one layer's; those at the top are one each, and what is added to a
    layer's output is still of that layer.
    """
    owners: dict[str, _Owner] = {}
    last: dict[_Owner, str] = {}
    for name, node in graph.nodes.items():
        owner = _owner(graph, node, owners)
        if owner.path:
            owners[name] = owner
            graph.nodes[name] = replace(node, source=replace(node.source, layer=owner.path, type=node.op))
            if _varies(graph, node):
                last.pop(owner, None)
                last[owner] = name
    for owner, name in last.items():
        graph.calls[owner.path] += 1
        graph.layers[numbered(owner.path, graph.calls[owner.path])] = name


def _owner(graph: Builder, node: Node, owners: dict[str, _Owner]) -> _Owner:
    """Return the parameters that a node is the first to mix with data, if it is."""
    if node.op == "parameter":
        above, _, own = str(node["weight"]).rpartition(".")
        return _Owner(above or own)
    weights = [name for name in node.inputs if not _varies(graph, graph.nodes[name]) and name in owners]
    if not weights:
        return _Owner()
    owner = owners[weights[0]]
    if node.name in graph.steps:
        return owner._replace(step=graph.steps[node.name])
    if owner.path not in graph.weights or node.op != "elementwise":
        return owner
    # One at the top that scales or shifts a layer's output is of that layer, and else of none.
    varying = (name for name in node.inputs if _varies(graph, graph.nodes[name]))
    return next((owners[name] for name in varying if name in owners), _Owner())


def _varies(graph: Builder, node: Node) -> bool:
    return graph.varies(Made(node.name, node.shape, node.dtype))
