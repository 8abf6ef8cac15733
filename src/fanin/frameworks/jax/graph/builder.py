"""A signal graph in the making."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from fanin.frameworks.jax.graph.values import Drawn, Known, Made, Shape, Spread, Value
from fanin.graph.signal import Attribute, Node, Op, SignalGraph, Source, Weight

_LARGEST = 65_536
"""Numbers of a constant that a graph holds one by one."""

_LOW = -1e3
"""An additive mask has at most this where nothing may pass."""


class Builder:
    """Adds nodes in the order of execution, under names of their own.

    Args:
        weights: The parameters and buffers of the model by name.
        calls: How often each module was called so far; for the body of a loop, outside of it.

    Attributes:
        source: Where the equation that is being read stands.
        layers: The last node of each module.
        computed: Known values by what makes them; it keeps their arrays, so that ids stay theirs.
        steps: The step of a loop that is written out which each part of a stack of parameters belongs to.
    """

    def __init__(self, weights: dict[str, Weight], calls: Counter[str] | None = None) -> None:
        self.weights = weights
        self.calls: Counter[str] = Counter() if calls is None else calls
        self.steps: dict[str, int] = {}
        self.computed: dict[Any, list[Value]] = {}
        self.source = Source()
        self.nodes: dict[str, Node] = {}
        self.layers: dict[str, str] = {}
        self._names: dict[str, int] = {}
        self._varies: set[str] = set()
        self._constants: dict[int, tuple[Any, Made]] = {}
        self._parameters: dict[str, Made] = {}

    def add(
        self,
        op: Op,
        inputs: Sequence[Value],
        shape: Shape,
        dtype: Any,
        *,
        stem: str = "",
        body: SignalGraph | None = None,
        told: Mapping[str, Attribute] = MappingProxyType({}),
        **attributes: Attribute,
    ) -> Made:
        """Add a node and return its value.

        Args:
            op: What it does.
            inputs: What it reads.
            shape: Shape of its value.
            dtype: Its dtype.
            stem: What to call it; by default its op, or its function.
            body: Of a scan, a step.
            told: Attributes as a mapping.
            **attributes: What else the op needs.
        """
        read = tuple(self.node(value) for value in inputs)
        name = self._fresh(stem or str(attributes.get("function", op)))
        made = Made(name, tuple(shape), np.dtype(dtype))
        own = {key: plain(value) for key, value in {**told, **attributes}.items()}
        self.nodes[name] = Node(name, op, read, made.shape, made.dtype.name, own, (), self.source, body)
        if op == "input" or any(value in self._varies for value in read):
            self._varies.add(name)
        return made

    def input(self, name: str, shape: Shape, dtype: Any) -> Made:
        """Add an input of the model."""
        return self.add("input", (), shape, dtype, stem=name)

    def parameter(self, name: str, dtype: Any) -> Made:
        """Return the value of a parameter, whose node is added when it is first read."""
        if name not in self._parameters:
            layer = Source(layer=name.rpartition(".")[0])
            source, self.source = self.source, layer
            made = self.add("parameter", (), self.weights[name].shape, dtype, stem=name, weight=name)
            self._parameters[name], self.source = made, source
        return self._parameters[name]

    def opaque(
        self, operator: str, inputs: Sequence[Value], avals: Sequence[Any], reason: str = ""
    ) -> list[Value]:
        """Add what nobody understands: one node for each of its values."""
        more: dict[str, Attribute] = {"reason": reason} if reason else {}
        more["operator"] = operator
        made: list[Value] = []
        for number, aval in enumerate(avals):
            if len(avals) > 1:
                more["output"] = number
            made.append(self.add("opaque", inputs, aval.shape, _dtype(aval), stem=operator, told=more))
        return made

    def node(self, value: Value) -> str:
        """Return the name of the node with a value; one is added where there is none."""
        if isinstance(value, Made):
            return value.node
        if isinstance(value, Known):
            return self.constant(value).node
        if isinstance(value, Spread):
            return self.add("broadcast", (value.of,), value.shape, value.dtype, axes=value.axes).node
        return self._random(value).node

    def _random(self, value: Drawn) -> Made:
        """Return the node of random numbers; their axes are those of the last signal that has their shape."""
        same = (node for node in reversed(self.nodes.values()) if node.shape == value.shape)
        like = next((node for node in same if node.name in self._varies), None)
        if like is None or not value.law or value.shared:
            return self.add("opaque", (), value.shape, _dtype(value), stem="random", operator="random")
        read = Made(like.name, like.shape, np.dtype(like.dtype))
        return self.add("noise", (read,), value.shape, _dtype(value), told=value.law)

    def made(self, value: Value) -> Made:
        """Return a value as that of a node."""
        return value if isinstance(value, Made) else Made(self.node(value), value.shape, value.dtype)

    def constant(self, value: Known) -> Made:
        """Return the node of a known array, the same one for the same array."""
        held = self._constants.get(id(value.array))
        if held is None:
            array = np.asarray(value.array)
            held = value.array, self.add("constant", (), array.shape, array.dtype, told=_described(array))
            self._constants[id(value.array)] = held  # holding the array keeps its id its own
        return held[1]

    def once(self, what: str, value: Known, compute: Callable[[np.ndarray], np.ndarray]) -> Known:
        """Return what is computed of a known array, the same result for the same array.

        Args:
            what: Names the computation.
            value: The array.
            compute: The computation.
        """
        key = what, id(value.array)
        if key not in self.computed:
            self.computed[key] = [Known(compute(np.asarray(value.array))), value]
        found = self.computed[key][0]
        assert isinstance(found, Known)
        return found

    def varies(self, value: Value) -> bool:
        """Return whether a value depends on the inputs."""
        if isinstance(value, Drawn):
            return True
        if isinstance(value, Known):
            return False
        return (value.of if isinstance(value, Spread) else value).node in self._varies

    def is_weight(self, value: Value) -> bool:
        """Return whether a value depends on parameters and on no input."""
        return isinstance(value, Made | Spread) and not self.varies(value)

    def end_of_layer(self, path: str, value: Value) -> None:
        """Take note that a value is a module's output, unless it is no signal: a parameter that it holds."""
        if not self.varies(value):
            return
        self.calls[path] += 1
        self.layers[numbered(path, self.calls[path])] = self.node(value)

    def graph(self, outputs: Sequence[Value], name: str, notes: Sequence[str] = ()) -> SignalGraph:
        """Return the graph of what the outputs and the modules need."""
        ends = tuple(self.node(value) for value in outputs)
        needed = {*ends, *self.layers.values()}
        for node in reversed(self.nodes.values()):
            if node.name in needed:
                needed.update(node.inputs)
        nodes = tuple(node for node in self.nodes.values() if node.name in needed or node.op == "input")
        named = {node["weight"] for node in nodes if node.op == "parameter"}
        named |= {w.name for node in nodes if node.body is not None for w in node.body.weights}
        weights = tuple(weight for weight in self.weights.values() if weight.name in named)
        return SignalGraph(nodes, weights, ends, dict(self.layers), name, tuple(notes))

    def _fresh(self, stem: str) -> str:
        count = self._names.get(stem, 0)
        self._names[stem] = count + 1
        name = f"{stem}_{count}" if count else stem
        return self._fresh(stem) if name in self.nodes else name


def numbered(path: str, call: int) -> str:
    """Return what a call of a module is called.

    Example:
        >>> numbered("block", 1), numbered("block", 2)
        ('block', 'block#2')
    """
    return path if call == 1 else f"{path}#{call}"


def _dtype(aval: Any) -> Any:
    """Return a dtype that NumPy knows; keys are numbers."""
    try:
        return np.dtype(aval.dtype)
    except TypeError:
        return np.dtype("uint32")


def _described(array: np.ndarray) -> dict[str, Attribute]:
    """Return what a graph says of a constant."""
    attributes: dict[str, Attribute] = {"mask": "causal"} if is_causal(array) else {}
    if array.size <= _LARGEST:
        return {"value": nested(array.tolist()), **attributes}
    wide = array.astype(np.float64)
    return {"mean": float(wide.mean()), "second_moment": float(np.square(wide).mean()), **attributes}


def plain(value: Any) -> Any:
    """Return an attribute without NumPy's numbers."""
    if isinstance(value, tuple):
        return value if len(value) > 64 else tuple(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


def nested(value: Any) -> Any:
    """Return nested lists as nested tuples."""
    return tuple(map(nested, value)) if isinstance(value, list) else value


def is_causal(array: np.ndarray) -> bool:
    """Return whether an array lets each place see itself and those before, and no other.

    It is True there, or it is added and 0 there.

    Example:
        >>> is_causal(np.tri(3, dtype=bool)), is_causal(np.ones((3, 3), bool))
        (True, False)
    """
    if array.ndim < 2 or array.shape[-2] != array.shape[-1] or array.shape[-1] < 2:
        return False
    if math.prod(array.shape[:-2]) > 1:
        array = array[tuple(slice(1) if step == 0 else slice(None) for step in array.strides[:-2])]
    below = np.tri(array.shape[-1], dtype=bool)
    if array.dtype == bool:
        return bool((array == below).all())
    if not np.issubdtype(array.dtype, np.floating):
        return False
    return bool((np.where(below, array, 0) == 0).all() and (array[..., ~below] <= _LOW).all())
