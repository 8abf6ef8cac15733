"""Nodes of a signal graph as they are made, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from fanin.frameworks.torch.graph.constants import constant_attributes, distinct_parts
from fanin.frameworks.torch.graph.values import Number, Operand, Value, dtype_name, number_of
from fanin.graph.signal import Attribute, Node, Op, Source

_OF_WEIGHTS = ("convolution", "embedding", "linear", "norm", "recurrent")
"""Layers, which weights belong to."""


class Builder:
    """Collects nodes; weights and constants become nodes when something first reads them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.source = Source()
        self.label = "value"
        self._taken: set[str] = set()
        self._weights: dict[str, str] = {}
        self._known: dict[Any, tuple[str, torch.Tensor]] = {}

    def emit(
        self, op: Op, inputs: Sequence[Value], shape: Sequence[int], dtype: str = "", **attributes: Attribute
    ) -> Value:
        """Add a node and return its value.

        Args:
            op: What it does.
            inputs: The values that it reads.
            shape: Of its value.
            dtype: Of its value; that of the first input where it is left out.
            attributes: As docs/graph.md has them.
        """
        return self.add(op, inputs, shape, dtype, attributes)

    def add(
        self,
        op: Op,
        inputs: Sequence[Value],
        shape: Sequence[int],
        dtype: str,
        attributes: Mapping[str, Attribute],
    ) -> Value:
        """Do what `emit` does, with attributes in one mapping."""
        names = tuple(self._named(value, layer=op in _OF_WEIGHTS) for value in inputs)
        kind = dtype or (inputs[0].dtype if inputs else "float32")
        name = self._free(self.label)
        node = Node(name, op, names, tuple(shape), kind, attributes, source=self.source)
        self.nodes.append(node)
        return Value(node.shape, kind, name, data=any(value.data for value in inputs))

    def input(self, name: str, shape: Sequence[int], dtype: str) -> Value:
        """Add an input of the model."""
        self.nodes.append(Node(self._free(name), "input", (), tuple(shape), dtype))
        return Value(tuple(shape), dtype, self.nodes[-1].name, data=True)

    def node_of(self, value: Value) -> str:
        """Return the name of a value's node, "" where it has none."""
        return value.node or self._weights.get(value.weight, "")

    def latest(self, shape: tuple[int, ...]) -> Value | None:
        """Return the last value of a shape that signals make."""
        for node in reversed(self.nodes):
            if node.shape == shape and node.op not in ("parameter", "constant") and "float" in node.dtype:
                return Value(node.shape, node.dtype, node.name, data=True)
        return None

    def output(self, value: Value) -> str:
        """Return the name of a value's node, which is added where there is none."""
        return self._named(value)

    def _named(self, value: Value, *, layer: bool = False) -> str:
        """Return the name of a value's node; a buffer is a weight to a layer, and known to others."""
        if value.node:
            return value.node
        if value.weight and (layer or value.tensor is None):
            return self._parameter(value)
        assert value.tensor is not None
        return self._constant(value.tensor)

    def _parameter(self, value: Value) -> str:
        if value.weight not in self._weights:
            name = self._free(value.weight)
            self._weights[value.weight] = name
            attributes: dict[str, Attribute] = {"weight": value.weight}
            layer = Source(value.weight.rpartition(".")[0])
            self.nodes.append(Node(name, "parameter", (), value.shape, value.dtype, attributes, source=layer))
        return self._weights[value.weight]

    def _constant(self, tensor: torch.Tensor) -> str:
        """Return the node of known values: of the same memory, unless it was changed since, the same one."""
        place = tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor._version
        if tensor.numel() and place in self._known:
            return self._known[place][0]
        parts = distinct_parts(tensor)
        name = self._of_values(tensor) if parts is None else self._of_parts(*parts, tuple(tensor.shape))
        self._known[place] = name, tensor  # which is kept, so that no other one takes its place
        return name

    def _of_values(self, tensor: torch.Tensor) -> str:
        name = self._free(f"{self.label}_constant")
        shape, kind = tuple(tensor.shape), dtype_name(tensor.dtype)
        node = Node(name, "constant", (), shape, kind, constant_attributes(tensor), source=self.source)
        self.nodes.append(node)
        return name

    def _of_parts(self, parts: torch.Tensor, which: torch.Tensor, shape: tuple[int, ...]) -> str:
        """Add a constant as rows of a table of the parts that it is made of."""
        ids, table = (Value(tuple(one.shape), dtype_name(one.dtype), tensor=one) for one in (which, parts))
        rows = self.emit("embedding", [ids, table], (*ids.shape, table.shape[1]), table.dtype, padding=None)
        return self._named(self.reshape(rows, shape))

    def _free(self, name: str) -> str:
        free, count = name, 1
        while free in self._taken:
            count += 1
            free = f"{name}.{count}"
        self._taken.add(free)
        return free

    # The operations that others are made of.

    def elementwise(
        self, function: str, *operands: Operand, arguments: tuple[Number, ...] = (), dtype: str = ""
    ) -> Value:
        """Add a function of each element.

        Args:
            function: Its name.
            operands: Values that broadcast, and numbers.
            arguments: The function's own numbers.
            dtype: Of the result; that of the operands where it is left out.
        """
        values = [operand for operand in operands if isinstance(operand, Value)]
        shape = torch.broadcast_shapes(*(value.shape for value in values))
        scalars = [_scalar(operand, len(values)) for operand in operands]
        if None not in scalars:
            scalars[operands.index(values[0])] = None
        read = [value for value, scalar in zip(operands, scalars, strict=True) if scalar is None]
        inputs = [value for value in read if isinstance(value, Value)]
        attributes: dict[str, Any] = {"function": function}
        if arguments:
            attributes["arguments"] = tuple(arguments)
        if any(scalar is not None for scalar in scalars):
            attributes["scalars"] = tuple(scalars)
        return self.emit("elementwise", inputs, shape, dtype or _joint(inputs), **attributes)

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """Add the same elements in another shape."""
        return x if x.shape == tuple(shape) else self.emit("reshape", [x], shape)

    def permute(self, x: Value, axes: Sequence[int]) -> Value:
        """Add the same elements with axes in another order."""
        axes = tuple(x.axis(axis) for axis in axes)
        if axes == tuple(range(x.ndim)):
            return x
        return self.emit("permute", [x], [x.shape[axis] for axis in axes], axes=axes)

    def broadcast(self, x: Value, shape: Sequence[int], axes: Sequence[int] | None = None) -> Value:
        """Add a repeated value; its axes are the last ones unless they are given."""
        if x.shape == tuple(shape):
            return x
        first = len(shape) - x.ndim
        places = tuple(axes) if axes is not None else tuple(range(first, len(shape)))
        return self.emit("broadcast", [x], shape, axes=places)

    def slice(
        self, x: Value, axis: int, start: int, stop: int, step: int = 1, *, drop: bool = False
    ) -> Value:
        """Add a part of a value along one axis; with a negative step down to a stop, -1 for the very end."""
        axis = x.axis(axis)
        length = len(range(start, stop, step))
        if length == x.shape[axis] and step == 1 and not drop:
            return x
        shape = [*x.shape[:axis], *(() if drop else (length,)), *x.shape[axis + 1 :]]
        end = None if stop < 0 else stop
        return self.emit("slice", [x], shape, axis=axis, start=start, stop=end, step=step, drop=drop)

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        """Add values one behind the other."""
        values = [value for value in values if value.size] or values[:1]
        if len(values) == 1:
            return values[0]
        axis = values[0].axis(axis)
        shape = list(values[0].shape)
        shape[axis] = sum(value.shape[axis] for value in values)
        return self.emit("concat", values, shape, _joint(values), axis=axis)

    def reduce(self, function: str, x: Value, axes: Sequence[int], *, keep: bool = False) -> Value:
        """Add a statistic over axes; none is all of them."""
        over = tuple(sorted({x.axis(axis) for axis in axes} if axes else range(x.ndim)))
        shape = [1 if i in over else n for i, n in enumerate(x.shape) if keep or i not in over]
        return self.emit("reduce", [x], shape, function=function, axes=over, keep=keep)


def _scalar(operand: Operand, values: int) -> Number | None:
    """Return the number that an operand is, None for a value; of one value alone the shape counts."""
    return None if isinstance(operand, Value) and values == 1 else number_of(operand)


def _joint(values: Sequence[Value]) -> str:
    """Return the widest type of some values, as PyTorch promotes them."""
    found = [getattr(torch, value.dtype) for value in values]
    if not found:
        return "float32"
    joint = found[0]
    for dtype in found[1:]:
        joint = torch.promote_types(joint, dtype)
    return dtype_name(joint)
