"""A signal graph while operations in it are put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fanin.graph.signal import Attribute, Node, Op, SignalGraph

Shape = tuple[int, ...]


class Draft:
    """A graph whose nodes can be replaced by others with the same value.

    What a replaced node no longer reads is left out at the end, unless something else reads it or it is the
    end of a layer: replacing a node changes no other node's value.

    Args:
        graph: The graph.
    """

    def __init__(self, graph: SignalGraph) -> None:
        self.graph = graph
        self.nodes = {node.name: node for node in graph}
        self.layers = dict(graph.layers)
        self._ends = {*graph.outputs, *graph.layers.values()}
        self._varies: set[str] = set()
        for node in graph:
            if node.op == "input" or any(name in self._varies for name in node.inputs):
                self._varies.add(node.name)

    def __iter__(self) -> Iterator[Node]:
        for name in list(self.nodes):
            yield self.nodes[name]

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def end_elsewhere(self, places: Mapping[str, str]) -> None:
        """Let layers end at other nodes with the same values."""
        self.layers = {path: places.get(name, name) for path, name in self.layers.items()}
        self._ends = {*self.graph.outputs, *self.layers.values()}

    def varies(self, name: str) -> bool:
        """Return whether a node's value depends on the inputs."""
        return name in self._varies

    def is_end(self, name: str) -> bool:
        """Return whether a layer, or the model, ends in a node."""
        return name in self._ends

    def is_read_elsewhere(self, node: Node, reader: Node) -> bool:
        """Return whether anything but one node needs the value of another: a node, a layer or the model."""
        others = (other for name, other in self._needed().items() if name != reader.name)
        return node.name in self._ends or any(node.name in other.inputs for other in others)

    def _needed(self) -> dict[str, Node]:
        """Return the nodes that outputs and layers need, without what was put together."""
        nodes: dict[str, Node] = {}
        for name in self._ends:
            self._emit(name, nodes)
        return nodes

    def put(self, node: Node, op: Op, inputs: Sequence[str], **attributes: Attribute) -> Node:
        """Let a node be another operation with the same value."""
        new = replace(node, op=op, inputs=tuple(inputs), attributes=attributes, body=None)
        self.nodes[node.name] = new
        return new

    def add(
        self,
        like: Node,
        op: Op,
        inputs: Sequence[str],
        shape: Shape,
        dtype: str = "",
        **attributes: Attribute,
    ) -> Node:
        """Add a node that stands where another one does in the model, and is named after it."""
        name, count = f"{like.name}_{op}", 1
        while name in self.nodes:
            name, count = f"{like.name}_{op}_{count}", count + 1
        new = Node(name, op, tuple(inputs), tuple(shape), dtype or like.dtype, attributes, (), like.source)
        self.nodes[name] = new
        if any(self.varies(name) for name in inputs):
            self._varies.add(name)
        return new

    def finished(self) -> SignalGraph:
        """Return the graph of what outputs and layers need, in the order of execution."""
        nodes: dict[str, Node] = {}
        for node in list(self.nodes.values()):
            if any(self._same(name) != name for name in node.inputs):
                self.nodes[node.name] = replace(node, inputs=tuple(map(self._same, node.inputs)))
        ends = [node.name for node in self.graph if node.op == "input"]
        ends += [node.name for node in self.graph if node.name in self._ends]
        for name in ends:
            self._emit(name, nodes)
        return replace(self.graph, nodes=tuple(nodes.values()), layers=self.layers)

    def _same(self, name: str) -> str:
        """Return the node that another one repeats: a reshape keeps the shape."""
        while (node := self.nodes[name]).op == "reshape" and self.nodes[node.inputs[0]].shape == node.shape:
            name = node.inputs[0]
        return name

    def _emit(self, name: str, nodes: dict[str, Node]) -> None:
        """Add a node after all that it reads."""
        waiting = [name]
        while waiting:
            node = self.nodes[waiting[-1]]
            missing = [name for name in node.inputs if name not in nodes]
            if not missing:
                nodes[waiting.pop()] = node
            waiting += reversed(missing)


def function(node: Node, *names: str) -> bool:
    """Return whether a node is one of some elementwise functions."""
    return node.op == "elementwise" and node["function"] in names


def scalar(node: Node) -> float | None:
    """Return the number of a function of one value and one number; None for any other."""
    scalars = node.get("scalars", ())
    if node.op != "elementwise" or len(node.inputs) != 1 or len(scalars) != 2:
        return None
    return next((float(number) for number in scalars if isinstance(number, float | int)), None)


def number_first(node: Node) -> bool:
    """Return whether the number of a function of a value and a number is its first operand."""
    return node.get("scalars", (None,))[0] is not None


def without_ones(shape: Sequence[int]) -> Shape:
    """Return a shape without the axes of size 1."""
    return tuple(size for size in shape if size != 1)


def bare(draft: Draft, name: str) -> Node:
    """Return the node whose value another one has but for axes of size 1 and repetitions along them."""
    node = draft[name]
    while node.op in ("reshape", "broadcast"):
        inner = draft[node.inputs[0]]
        if node.op == "reshape" and without_ones(node.shape) != without_ones(inner.shape):
            break
        node = inner
    return node


def spread(shape: Shape, rank: int) -> Shape:
    """Return a shape with axes of size 1 in front, as it broadcasts against another of that rank."""
    return (1,) * (rank - len(shape)) + shape


def fits(shape: Shape, like: Shape, axes: Sequence[int]) -> bool:
    """Return whether a value broadcasts as one number along some axes of another value.

    Args:
        shape: Its shape.
        like: The other's shape.
        axes: The axes along which it is the same.
    """
    wanted = tuple(1 if axis in axes else size for axis, size in enumerate(like))
    return len(shape) <= len(like) and spread(shape, len(like)) == wanted


def axes_of_vector(shape: Shape, like: Shape) -> Shape | None:
    """Return the axes that a value has of another one that it broadcasts against; None if it does not."""
    if len(shape) > len(like):
        return None
    wide = spread(shape, len(like))
    if any(mine not in (1, theirs) for mine, theirs in zip(wide, like, strict=True)):
        return None
    return tuple(axis for axis, size in enumerate(wide) if size != 1)


def constant(node: Node) -> Any:
    """Return a constant's value; None for any other node, and where it is too large to be held."""
    return node.get("value") if node.op == "constant" else None
