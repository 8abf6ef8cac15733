"""What changes the shape or the order of values."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.rules.regrouped import fewer, more, repeated
from fanin.theory.propagation.signal import (
    Fixed,
    Kernel,
    Result,
    Signal,
    Unknown,
    Value,
)


def same_values(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return the same values in another shape: rows, samples and points stay what they are."""
    x = inputs[0]
    if isinstance(x, Kernel):
        return Result(_reshaped(x, node))
    if isinstance(x, Fixed):
        return Result(_laid_out(x, node))
    if isinstance(x, Signal):
        return _of_signal(x, node, context)
    return Result(x, lambda cotangent: [cotangent])


def _of_signal(x: Signal, node: Node, context: Context) -> Result:
    total, width = (context.size(node.name, role) for role in ("position", "channel"))
    if total != x.places.total and x.places.total > 1:
        return _of_other_positions(x, node, total, width, context)
    # Copies have independent gradients, as heads that share a key have: they add up.
    copies = math.sqrt(max(width / max(x.width, 1), 1.0)) if node.op == "broadcast" else 1.0
    y = replace(x, width=width)
    return Result(y, lambda cotangent: [cotangent.times(copies)])


def _of_other_positions(x: Signal, node: Node, total: int, width: int, context: Context) -> Result:
    before = context.size(node.inputs[0], "channel")
    if node.op == "broadcast" and total % x.places.total == 0 and width == before:
        return repeated(x, total, width, context)
    if node.op == "reshape" and total * width == x.places.total * before:
        return (fewer if total < x.places.total else more)(x, total, width, context)
    return Result(Unknown(f"{node.name}: it repeats or mixes positions"))


def _reshaped(kernel: Kernel, node: Node) -> Kernel:
    axis = _new_axis(kernel, node) if kernel.parts else 0
    if axis is None:
        return replace(kernel, shape=node.shape, axis=0, parts=())
    return replace(kernel, shape=node.shape, axis=axis)


def _new_axis(kernel: Kernel, node: Node) -> int | None:
    """Return the axis that the one of a kernel's parts is then; None where it is split or joined."""
    if node.op == "permute":
        return node["axes"].index(kernel.axis)
    before, after = (
        [axis for axis, size in enumerate(shape) if size > 1] for shape in (kernel.shape, node.shape)
    )
    same = [kernel.shape[axis] for axis in before] == [node.shape[axis] for axis in after]
    if same:
        return after[before.index(kernel.axis)]
    kept = len(node.shape) > kernel.axis and node.shape[kernel.axis] == kernel.shape[kernel.axis]
    return kernel.axis if kept else None


def _laid_out(value: Fixed, node: Node) -> Fixed:
    if value.array is None or value.array.ndim == 0:
        return replace(value, shape=node.shape)
    array: np.ndarray = value.array
    if node.op == "permute":
        array = array.transpose(node["axes"])
    elif node.op == "broadcast":
        wide = [1] * len(node.shape)
        for size, place in zip(array.shape, node["axes"], strict=True):
            wide[place] = size
        array = array.reshape(wide)
    elif node.op == "reshape":
        array = np.broadcast_to(array, value.shape).reshape(node.shape)
    return replace(value, array=array, shape=node.shape)
