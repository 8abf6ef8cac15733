r"""Queries and keys that are turned by their positions: rotary position embedding, however it is written.

Pairs of channels are turned by angles of their own, q_p = R_p x_p. At one position that changes no second
moment; between two it does, by cos of the difference of angles, channel by channel. So attention is told the
angles, and follows x and its gradient instead.

Whatever leads from x to q is evaluated once, for random numbers: if each pair of them comes out turned, by
the same angle in all examples and heads, it is a rotation.

References:
    Su et al. (2021), RoFormer, arXiv:2104.09864, equation 34.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fanin.graph.axes import Axes
from fanin.graph.signal import Node, SignalGraph
from fanin.theory.propagation.draws import Array

Complex = NDArray[np.complex128]

_NEAR = 1e-3
_SIZE = 20_000_000  # numbers that are evaluated at most


class Turns(NamedTuple):
    """Angles that an attention's queries and keys are turned by.

    Args:
        query: (positions, features / 2).
        key: The same.
    """

    query: Array
    key: Array


@dataclass(frozen=True)
class _Rotation:
    """A value that is another one turned.

    Args:
        end: Its node.
        root: The other one's.
        angles: (positions, features / 2).
        scale: What lengths are multiplied with.
    """

    end: str
    root: str
    angles: Array
    scale: float


def turned(graph: SignalGraph, axes: Mapping[str, Axes]) -> tuple[SignalGraph, dict[str, Turns]]:
    """Return a graph whose attentions read what is not turned yet, and the angles for each of them.

    Args:
        graph: The graph.
        axes: What its values' axes are made of.
    """
    known: dict[object, tuple[Array, float] | None] = {}
    turns, rotations = dict[str, Turns](), dict[str, _Rotation]()
    for node in graph:
        if node.op != "attention":
            continue
        found = [_rotation(name, graph, axes, known) for name in node.inputs[:2]]
        query, key = found
        if query is not None and key is not None and _fits(node, graph, query, key):
            turns[node.name] = Turns(query.angles, key.angles)
            rotations |= {each.end: each for each in (query, key)}
    if not turns:
        return graph, turns
    nodes = [_scaled(node, rotations[node.name]) if node.name in rotations else node for node in graph]
    return _needed(replace(graph, nodes=tuple(nodes))), turns


def _fits(node: Node, graph: SignalGraph, *rotations: _Rotation) -> bool:
    """Return whether positions and features are those that an attention has."""
    shapes = (graph[name].shape[-2:] for name in node.inputs)
    return all(
        shape == (len(each.angles), 2 * each.angles.shape[1])
        for shape, each in zip(shapes, rotations, strict=False)
    )


def _scaled(node: Node, rotation: _Rotation) -> Node:
    attributes = {"function": "multiply", "scalars": (rotation.scale, None)}
    return replace(node, op="elementwise", inputs=(rotation.root,), attributes=attributes)


def _needed(graph: SignalGraph) -> SignalGraph:
    """Return a graph without what no output and no layer depends on."""
    needed = {*graph.outputs, *graph.layers.values(), *(node.name for node in graph if node.op == "input")}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return replace(graph, nodes=tuple(node for node in graph if node.name in needed))


# Where it begins and ends

_KEEPING = ("permute", "reshape", "broadcast")
_MIXING = ("multiply", "add", "subtract", "negative")


def _rotation(
    name: str,
    graph: SignalGraph,
    axes: Mapping[str, Axes],
    known: dict[object, tuple[Array, float] | None],
) -> _Rotation | None:
    """Return what turns an attention's queries or keys; None where nothing does."""
    end = graph[name]
    while _keeps(end):
        end = graph[end.inputs[0]]
    inner, root = _back(end, graph)
    if root is None or root.shape != end.shape or not _leads_to_products(end.name, graph):
        return None
    position = [
        axis for axis, atoms in enumerate(axes[end.name]) if {atom.role for atom in atoms} == {"position"}
    ]
    if len(position) != 1 or math.prod(root.shape) * len(inner) > _SIZE:
        return None
    key = _pattern(inner, root, position[0], graph)
    if key not in known:
        known[key] = _angles(inner, root, end, position[0], graph)
    found = known[key]
    return None if found is None else _Rotation(end.name, root.name, *found)


def _keeps(node: Node) -> bool:
    """Return whether a node's value is another one, rearranged or scaled as a whole."""
    numbers = sum(number is not None for number in node.get("scalars", ()))
    scales = node.op == "elementwise" and node["function"] in ("multiply", "divide") and numbers == 1
    return node.op in _KEEPING or (scales and len(node.inputs) == 1)


def _back(end: Node, graph: SignalGraph) -> tuple[list[Node], Node | None]:
    """Return what is between a sum of parts and the value that all of it comes from, in order."""
    place = {node.name: number for number, node in enumerate(graph)}
    waiting, inner, sums = {end.name}, list[Node](), 0
    while waiting:
        node = graph[max(waiting, key=place.__getitem__)]
        if len(waiting) == 1 and sums:
            return inner[::-1], node
        if not _linear(node):
            return [], None
        sums += _is_sum(node)
        inner.append(node)
        waiting.remove(node.name)
        waiting.update(name for name in node.inputs if graph[name].op != "constant")
    return [], None


def _linear(node: Node) -> bool:
    if node.op == "elementwise":
        return node["function"] in _MIXING
    return node.op in (*_KEEPING, "slice", "concat")


def _is_sum(node: Node) -> bool:
    return node.op == "elementwise" and node["function"] in ("add", "subtract") and len(node.inputs) == 2


def _leads_to_products(name: str, graph: SignalGraph) -> bool:
    """Return whether nothing but queries and keys of attentions is made of a value."""
    readers = [graph[reader] for reader in graph.readers[name]]
    return bool(readers) and all(
        name not in reader.inputs[2:]
        if reader.op == "attention"
        else _keeps(reader) and _leads_to_products(reader.name, graph)
        for reader in readers
    )


def _pattern(inner: Sequence[Node], root: Node, position: int, graph: SignalGraph) -> object:
    """Return what is equal for parts of graphs that do the same."""
    number = {root.name: 0, **{node.name: place + 1 for place, node in enumerate(inner)}}

    def read(name: str) -> object:
        value = graph[name].get("value")
        return number[name] if name in number else (graph[name].shape, np.asarray(value).tobytes())

    def does(node: Node) -> object:
        return node.op, repr(sorted(node.attributes.items())), tuple(map(read, node.inputs))

    return root.shape, position, tuple(map(does, inner))


# What it does


def _angles(
    inner: Sequence[Node], root: Node, end: Node, position: int, graph: SignalGraph
) -> tuple[Array, float] | None:
    """Return angles, (positions, features / 2), and a scale; None where something else is done."""
    values: dict[str, Array] = {root.name: np.random.default_rng(0).standard_normal(root.shape)}
    for node in inner:
        operands = [_operand(name, values, graph) for name in node.inputs]
        known = [operand for operand in operands if operand is not None]
        if len(known) < len(operands):
            return None
        values[node.name] = _EVALUATED[node.op](node, known)
    before, after = (np.moveaxis(values[node.name], position, 0) for node in (root, end))
    for one, other in _pairs(before, after):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = (other / one).reshape(len(one), -1, *one.shape[-1:])
        mean = np.mean(ratios, axis=1)
        lengths = np.abs(mean)
        if np.max(np.abs(ratios - mean[:, None])) < _NEAR and np.ptp(lengths) < _NEAR:
            return np.angle(mean), float(np.mean(lengths))
    return None


def _operand(name: str, values: Mapping[str, Array], graph: SignalGraph) -> Array | None:
    if name in values:
        return values[name]
    value = graph[name].get("value")
    return None if value is None else np.asarray(value, float)


def _pairs(before: Array, after: Array) -> Iterator[tuple[Complex, Complex]]:
    """Yield values as complex numbers, (positions, ..., features / 2), for each way to make pairs."""
    size = before.shape[-1]
    if size == 2:
        yield before[..., 0] + 1j * before[..., 1], after[..., 0] + 1j * after[..., 1]
        return
    changes = np.any(before != after, axis=tuple(range(before.ndim - 1)))
    some, kept = np.flatnonzero(changes), np.flatnonzero(~changes)
    half = len(some) // 2
    if not half or len(some) % 2 or size % 2:
        return
    for one, other in ((some[:half], some[half:]), (some[::2], some[1::2])):
        real, imaginary = np.concatenate([one, kept[::2]]), np.concatenate([other, kept[1::2]])
        yield (
            before[..., real] + 1j * before[..., imaginary],
            after[..., real] + 1j * after[..., imaginary],
        )


def _elementwise(node: Node, operands: list[Array]) -> Array:
    given = iter(operands)
    scalars = node.get("scalars") or (None,) * len(operands)
    return _FUNCTIONS[node["function"]](*(next(given) if number is None else number for number in scalars))


def _slice(node: Node, operands: list[Array]) -> Array:
    axis = node["axis"]
    part = np.take(
        operands[0], range(operands[0].shape[axis])[node["start"] : node["stop"] : node["step"]], axis
    )
    return np.squeeze(part, axis) if node["drop"] else part


def _broadcast(node: Node, operands: list[Array]) -> Array:
    shape = [1] * len(node.shape)
    for axis, place in enumerate(node["axes"]):
        shape[place] = operands[0].shape[axis]
    return np.broadcast_to(operands[0].reshape(shape), node.shape)


_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "multiply": np.multiply,
    "add": np.add,
    "subtract": np.subtract,
    "negative": np.negative,
}
_EVALUATED: dict[str, Callable[[Node, list[Array]], Array]] = {
    "elementwise": _elementwise,
    "slice": _slice,
    "broadcast": _broadcast,
    "concat": lambda node, operands: np.concatenate(operands, axis=node["axis"]),
    "reshape": lambda node, operands: operands[0].reshape(node.shape),
    "permute": lambda node, operands: np.transpose(operands[0], node["axes"]),
}
