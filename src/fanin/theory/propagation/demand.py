"""How many points of a block each node needs: pools a window's for each of their own, lengths some.

The largest of all positions needs all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from fanin.graph.axes import Axes
from fanin.graph.signal import Node, SignalGraph
from fanin.theory.propagation.rules.extremes import FOLLOWED
from fanin.theory.propagation.rules.pools import LARGEST

_LEAST = 2
_MOST = 256  # pools of pools share some points
_SOME_OF_A_LENGTH, _ALL_OF_A_LENGTH = 12, 24  # what is divided by its length goes with the length as a whole
_WINDOWS = 3  # a block of inputs is read by windows of its own block of outputs and of blocks around it
_OWN = frozenset({"linear", "convolution", "attention", "embedding", "recurrent", "scan", "pool", "opaque"})
"""Ops whose values have points of their own; others share those of what they read."""


def points_needed(graph: SignalGraph, axes: Mapping[str, Axes]) -> Mapping[str, int]:
    """Return the points of a block that each node's value needs.

    Args:
        graph: The model.
        axes: Of each node's value.

    Example:
        >>> window = {"kind": "max", "window": (3, 3)}
        >>> nodes = (Node("x", "input"), Node("y", "pool", ("x",), attributes=window))
        >>> dict(points_needed(SignalGraph(nodes), {}))
        {'x': 54, 'y': 2}
    """
    group = _groups(graph)
    needed = dict.fromkeys(set(group.values()), _LEAST)
    for node in reversed(graph.nodes):
        if node.op == "pool" and node["kind"] == "max" and (window := math.prod(node["window"])) <= LARGEST:
            read = group[node.inputs[0]]
            needed[read] = max(needed[read], min(_WINDOWS * needed[group[node.name]] * window, _MOST))
        if node.op == "reduce" and node["function"] in ("max", "min"):
            atoms = [atom for axis in node["axes"] for atom in axes[node.inputs[0]][axis]]
            every = math.prod(atom.size for atom in atoms)
            if {atom.role for atom in atoms} == {"position"} and every <= FOLLOWED:
                needed[group[node.inputs[0]]] = max(needed[group[node.inputs[0]]], every)
        if node.op == "reduce" and graph[node.inputs[0]].get("function") == "square":
            read, every = group[node.inputs[0]], _positions(node.inputs[0], axes)
            needed[read] = max(needed[read], _SOME_OF_A_LENGTH, every if every <= _ALL_OF_A_LENGTH else 0)
    return {name: needed[found] for name, found in group.items()}


def _positions(name: str, axes: Mapping[str, Axes]) -> int:
    return math.prod(atom.size for axis in axes[name] for atom in axis if atom.role == "position")


def _groups(graph: SignalGraph) -> dict[str, str]:
    """Return for each node the first of those that share its points."""
    group: dict[str, str] = {}
    for node in graph:
        group[node.name] = node.name
        for name in _shared(node):
            _merge(group, name, node.name)
    return {name: _first(group, name) for name in group}


def _shared(node: Node) -> tuple[str, ...]:
    return () if node.op in _OWN else node.inputs


def _first(group: dict[str, str], name: str) -> str:
    while group[name] != name:
        group[name] = group[group[name]]
        name = group[name]
    return name


def _merge(group: dict[str, str], one: str, other: str) -> None:
    first, second = _first(group, one), _first(group, other)
    group[second] = first
