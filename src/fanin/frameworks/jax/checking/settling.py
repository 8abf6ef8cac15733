"""Where a product ends: behind its bias and behind what only moves axes, and where its units are there."""

from __future__ import annotations

from collections.abc import Collection

from fanin.graph.signal import Node, SignalGraph

Axes = tuple[int, ...]


def settled(graph: SignalGraph, node: Node, axes: Axes, places: Collection[str]) -> tuple[Node, Axes]:
    """Return a product behind its bias and moves of axes in its layer, and the axes of its units there.

    Args:
        graph: The graph.
        node: The product.
        axes: The axes of its units.
        places: Nodes whose values can be looked at.
    """
    end, found = node, axes
    while node.name not in graph.outputs and node.name not in graph.layers.values():
        readers = set(graph.readers[node.name])
        after = graph[readers.pop()] if len(readers) == 1 else None
        if after is None or after.source.layer != node.source.layer:
            break
        moved = _moved(node, after, axes) if node.name == after.inputs[0] or _adds(graph, after) else None
        if moved is None:
            break
        node, axes = after, moved
        if node.name in places:
            end, found = node, axes
    return end, found


def varying(graph: SignalGraph) -> set[str]:
    """Return the nodes whose values depend on the inputs."""
    found: set[str] = set()
    for node in graph:
        if node.op == "input" or any(name in found for name in node.inputs):
            found.add(node.name)
    return found


def _adds(graph: SignalGraph, node: Node) -> bool:
    """Return whether a node adds a parameter to data."""
    return node.get("function") == "add" and any(_is_parameter(graph, name) for name in node.inputs)


def _is_parameter(graph: SignalGraph, name: str) -> bool:
    node = graph[name]
    while node.op in ("reshape", "broadcast"):
        node = graph[node.inputs[0]]
    return node.op == "parameter"


def unit_axes(equation: str) -> tuple[Axes, Axes]:
    """Return the axes of a product's units, in its result and in its kernel.

    Example:
        >>> unit_axes("btd,dhk->bthk")
        ((2, 3), (1, 2))
    """
    read, _, out = equation.partition("->")
    x, _, kernel = read.partition(",")
    units = [letter for letter in out if letter in kernel and letter not in x]
    units = units or [letter for letter in out if letter in kernel]
    return tuple(map(out.index, units)), tuple(map(kernel.index, units))


def _moved(node: Node, after: Node, axes: Axes) -> Axes | None:
    """Return the axes of the units behind what adds a parameter or moves axes; None behind anything else."""
    places = [axis % len(node.shape) for axis in axes]
    if after.op == "permute":
        return tuple(after["axes"].index(axis) for axis in places)
    if after.op == "reshape":
        before, behind = ([n for n, size in enumerate(one.shape) if size != 1] for one in (node, after))
        same = [node.shape[n] for n in before] == [after.shape[n] for n in behind]
        inside = all(axis in before for axis in places)
        return tuple(behind[before.index(axis)] for axis in places) if same and inside else None
    if after.get("function") == "add" and after.shape == node.shape:
        return tuple(places)
    return None
