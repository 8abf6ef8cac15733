"""Operations that only move elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.table import converts
from fanin.frameworks.jax.graph.values import Drawn, Known, Made, Shape, Spread, Value


def reshaped(graph: Builder, value: Value, shape: Shape) -> Value:
    """Return a value in another shape."""
    if value.shape == tuple(shape):
        return value
    made = graph.made(value)
    node = graph.nodes[made.node]
    if node.op == "reshape":  # of a reshape: of what that one reads
        before = graph.nodes[node.inputs[0]]
        made = Made(before.name, before.shape, np.dtype(before.dtype))
        if made.shape == tuple(shape):
            return made
    return graph.add("reshape", (made,), shape, made.dtype)


@converts("reshape", "squeeze", "expand_dims")
def _reshape(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    return reshaped(graph, inputs[0], equation.outvars[0].aval.shape)


@converts("transpose")
def _transpose(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    aval = equation.outvars[0].aval
    axes = tuple(equation.params["permutation"])
    if axes == tuple(range(len(axes))):
        return inputs[0]
    return graph.add("permute", inputs, aval.shape, aval.dtype, axes=axes)


@converts("broadcast_in_dim")
def _broadcast(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    shape, axes = tuple(equation.outvars[0].aval.shape), tuple(equation.params["broadcast_dimensions"])
    value = inputs[0]
    if math.prod(shape) == math.prod(value.shape):
        return reshaped(graph, value, shape)
    if isinstance(value, Spread):
        return Spread(value.of, shape, tuple(axes[axis] for axis in value.axes))
    return Spread(graph.made(value), shape, axes)


@converts("slice")
def _slice(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    given = equation.params
    starts, stops = given["start_indices"], given["limit_indices"]
    steps = given["strides"] or (1,) * len(starts)
    value = inputs[0]
    for axis, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        value = sliced(graph, value, axis, start, stop, step)
    return value


def sliced(
    graph: Builder, value: Value, axis: int, start: int, stop: int, step: int = 1, *, drop: bool = False
) -> Value:
    """Return a part of a value along one axis.

    Args:
        graph: The graph in the making.
        value: The value.
        axis: The axis.
        start: First index.
        stop: The index after the last one.
        step: From index to index.
        drop: Whether the axis, then of size 1, is dropped.
    """
    if (start, stop, step) == (0, value.shape[axis], 1) and not drop:
        return value
    rest = () if drop else (len(range(start, stop, step)),)
    shape = (*value.shape[:axis], *rest, *value.shape[axis + 1 :])
    where: dict[str, Any] = {"axis": axis, "start": start, "stop": stop, "step": step, "drop": drop}
    return graph.add("slice", (value,), shape, value.dtype, **where)


@converts("split")
def _split(graph: Builder, equation: Any, inputs: Sequence[Value]) -> list[Value]:
    ends = np.cumsum(equation.params["sizes"]).tolist()
    axis = equation.params["axis"]
    return [sliced(graph, inputs[0], axis, start, end) for start, end in zip([0, *ends], ends, strict=False)]


@converts("dynamic_slice")
def _dynamic_slice(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    value, *starts = inputs
    sizes = equation.params["slice_sizes"]
    found = _clamped(starts, value.shape, sizes)
    if found is None:
        return None
    for axis, (start, size) in enumerate(zip(found, sizes, strict=True)):
        value = sliced(graph, value, axis, start, start + size)
    return value


@converts("dynamic_update_slice")
def _update(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    value, update, *starts = inputs
    found = _clamped(starts, value.shape, update.shape)
    changed = [axis for axis, size in enumerate(update.shape) if size != value.shape[axis]]
    if found is None or len(changed) > 1:
        return None
    if not changed:
        return update
    return replaced(graph, value, update, changed[0], found[changed[0]])


def replaced(graph: Builder, value: Value, part: Value, axis: int, start: int) -> Value:
    """Return a value with a part along one axis put in place of its own.

    Args:
        graph: The graph in the making.
        value: The value.
        part: What takes the place; all of its other axes are the value's.
        axis: The axis.
        start: Where the part begins.
    """
    stop, size = start + part.shape[axis], value.shape[axis]
    parts: list[Value] = [sliced(graph, value, axis, 0, start)] if start else []
    parts += [part, *([sliced(graph, value, axis, stop, size)] if stop < size else [])]
    return graph.add("concat", parts, value.shape, value.dtype, axis=axis)


def _clamped(starts: Sequence[Value], shape: Shape, sizes: Sequence[int]) -> list[int] | None:
    """Return where a slice begins, moved inside as JAX does; None where that is computed from data."""
    if not all(isinstance(start, Known) for start in starts):
        return None
    numbers = [int(np.asarray(start.array)) for start in starts if isinstance(start, Known)]
    room = [whole - size for whole, size in zip(shape, sizes, strict=True)]
    return [min(max(number, 0), most) for number, most in zip(numbers, room, strict=True)]


@converts("concatenate")
def _concatenate(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    aval = equation.outvars[0].aval
    return graph.add("concat", inputs, aval.shape, aval.dtype, axis=equation.params["dimension"])


@converts("stack")
def _stack(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    axis, aval = equation.params["axis"], equation.outvars[0].aval
    rows = [reshaped(graph, value, (*value.shape[:axis], 1, *value.shape[axis:])) for value in inputs]
    return graph.add("concat", rows, aval.shape, aval.dtype, axis=axis)


@converts("unstack")
def _unstack(graph: Builder, equation: Any, inputs: Sequence[Value]) -> list[Value]:
    axis = equation.params["axis"]
    count = inputs[0].shape[axis]
    return [sliced(graph, inputs[0], axis, n, n + 1, drop=True) for n in range(count)]


@converts("tile")
def _tile(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    value, times = graph.made(inputs[0]), equation.params["reps"]
    shape = tuple(n for pair in zip(times, value.shape, strict=True) for n in pair)
    axes = tuple(range(1, len(shape), 2))
    repeated = graph.add("broadcast", (value,), shape, value.dtype, axes=axes)
    return reshaped(graph, repeated, equation.outvars[0].aval.shape)


@converts("pad")
def _pad(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    value, filler = inputs
    number = filler.number() if isinstance(filler, Known) else None
    config = equation.params["padding_config"]
    if number is None or any(inner for _, _, inner in config):
        return None
    for axis, (low, high, _) in enumerate(config):
        value = sliced(graph, value, axis, max(-low, 0), value.shape[axis] - max(-high, 0))
    padding = tuple((max(low, 0), max(high, 0)) for low, high, _ in config)
    if not any(map(any, padding)):
        return value
    aval = equation.outvars[0].aval
    return graph.add("pad", (value,), aval.shape, aval.dtype, padding=padding, value=number)


@converts("rev")
def _reverse(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    value = inputs[0]
    for axis in equation.params["dimensions"]:
        where: dict[str, Any] = {"axis": axis, "start": value.shape[axis] - 1, "stop": None, "step": -1}
        value = graph.add("slice", (value,), value.shape, value.dtype, drop=False, **where)
    return value


def drawn_in(value: Drawn, shape: Shape) -> Drawn:
    """Return random numbers in another shape."""
    return Drawn(tuple(shape), value.dtype, value.keep, value.on, value.low, value.high)
