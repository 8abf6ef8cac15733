"""Lookups: rows of a table by ids, and parts of a value at fixed places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.elementwise import elementwise
from fanin.frameworks.jax.graph.shapes import replaced, reshaped, sliced
from fanin.frameworks.jax.graph.table import converts
from fanin.frameworks.jax.graph.values import Known, Made, Spread, Value

_PIECES = 64
"""Slices that a lookup at fixed places may take."""


@converts("gather")
def _gather(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    value, places = inputs
    if isinstance(places, Known) and not _by_rows(equation, value):
        return _fixed(graph, equation, value, np.asarray(places.array))
    if not _by_rows(equation, value):
        return _picked(graph, equation, value, places)
    if isinstance(places, Known) and graph.varies(value):
        return _fixed(graph, equation, value, np.asarray(places.array))
    aval = equation.outvars[0].aval
    ids = _plain(graph, reshaped(graph, _unspread(graph, places), places.shape[:-1]))
    return graph.add("embedding", (ids, value), aval.shape, aval.dtype, padding=None)


def _by_rows(equation: Any, value: Value) -> bool:
    """Return whether a gather takes whole rows, one an index, as the last axes of the result."""
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    rank = len(equation.outvars[0].aval.shape)
    inner = len(value.shape) - 1
    return (
        tuple(numbers.start_index_map) == (0,)
        and tuple(numbers.collapsed_slice_dims) == (0,)
        and tuple(numbers.offset_dims) == tuple(range(rank - inner, rank))
        and tuple(sizes) == (1, *value.shape[1:])
        and not getattr(numbers, "operand_batching_dims", ())
    )


def _picked(graph: Builder, equation: Any, value: Value, places: Value) -> Value | None:
    """Return what stands at one place along an axis, of each row the one that ids tell."""
    numbers, rank = equation.params["dimension_numbers"], len(value.shape)
    if any(size != 1 for size in equation.params["slice_sizes"]):
        return None
    axes, rows = tuple(numbers.start_index_map), tuple(numbers.operand_batching_dims)
    ids = places
    if axes == tuple(range(rank)) and rank > 1:
        axes, ids = (rank - 1,), _after_counts(graph, places)
    elif sorted((*rows, *axes)) != list(range(rank)) or not _in_order(rows, numbers):
        return None
    if ids is None or len(axes) != 1 or math.prod(ids.shape) * value.shape[axes[0]] != math.prod(value.shape):
        return None
    rest = tuple(size for axis, size in enumerate(value.shape) if axis != axes[0])
    aval = equation.outvars[0].aval
    read = (value, reshaped(graph, _plain(graph, reshaped(graph, _unspread(graph, ids), rest)), rest))
    told: dict[str, Any] = {"operator": "take_along_axis", "axis": axes[0]}
    return graph.add("opaque", read, aval.shape, aval.dtype, stem="take_along_axis", told=told)


def _in_order(rows: tuple[int, ...], numbers: Any) -> bool:
    """Return whether rows and ids follow each other alike."""
    of_ids = tuple(numbers.start_indices_batching_dims)
    return list(rows) == sorted(rows) and list(of_ids) == sorted(of_ids)


def _after_counts(graph: Builder, places: Value) -> Value | None:
    """Return the ids of places whose other indices count the rows: x[arange(n), ids]."""
    if not isinstance(places, Made):
        return None
    node = graph.nodes[places.node]
    shape = (*node.shape[:-1], 1)
    counts = [graph.nodes[name] for name in node.inputs[:-1]]
    if node.op != "concat" or node["axis"] != len(shape) - 1 or len(counts) != len(shape) - 1:
        return None
    for axis, count in enumerate(counts):
        wanted = np.indices(shape)[axis]
        if "value" not in count.attributes or not np.array_equal(
            np.broadcast_to(count["value"], shape), wanted
        ):
            return None
    return _made(graph, node.inputs[-1])


def _unspread(graph: Builder, value: Value) -> Value:
    return graph.made(value) if isinstance(value, Spread) else value


def _plain(graph: Builder, value: Value) -> Value:
    """Return the ids without what makes negative ones count from the end."""
    if not isinstance(value, Made):
        return value
    node = graph.nodes[value.node]
    if node.op == "reshape":
        inner = _plain(graph, _made(graph, node.inputs[0]))
        return reshaped(graph, inner, value.shape)
    if node.get("function") == "where" and len(node.inputs) == 3:
        asked, other, same = (graph.nodes[name] for name in node.inputs)
        wraps = other.get("function") == "add" and other.inputs == (same.name,)
        if asked.get("function") == "less" and asked.inputs == (same.name,) and wraps:
            return _made(graph, same.name)
    return value


def _made(graph: Builder, name: str) -> Made:
    node = graph.nodes[name]
    return Made(name, node.shape, np.dtype(node.dtype))


def _fixed(graph: Builder, equation: Any, value: Value, places: np.ndarray) -> Value | None:
    """Return what stands at known places along one axis, as slices one after the other."""
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    if getattr(numbers, "operand_batching_dims", ()):
        return None
    aval = equation.outvars[0].aval
    if places.size == len(numbers.start_index_map):  # one slice
        for axis, start in zip(numbers.start_index_map, places.reshape(-1).tolist(), strict=True):
            start = min(max(start, 0), value.shape[axis] - sizes[axis])
            value = sliced(graph, value, axis, start, start + sizes[axis])
        whole = all(size in (1, value.shape[axis]) for axis, size in enumerate(sizes))
        return reshaped(graph, value, aval.shape) if whole else None
    if len(numbers.start_index_map) != 1 or places.ndim != 2 or places.shape[0] > _PIECES:
        return None
    axis = numbers.start_index_map[0]
    along = axis  # the indices' axis takes the place of the one that they run over
    in_place = tuple(numbers.offset_dims) == tuple(n for n in range(len(aval.shape)) if n != along)
    whole = all(size == value.shape[n] for n, size in enumerate(sizes) if n != axis)
    if tuple(numbers.collapsed_slice_dims) != (axis,) or sizes[axis] != 1 or not in_place or not whole:
        return None
    starts = [min(max(int(n), 0), value.shape[axis] - 1) for n in places[:, 0]]
    if starts == list(range(starts[0], starts[0] + len(starts))):
        return sliced(graph, value, axis, starts[0], starts[-1] + 1)
    parts = [sliced(graph, value, axis, start, start + 1) for start in starts]
    return graph.add("concat", parts, aval.shape, aval.dtype, axis=axis)


_CHANGES = {"scatter": "", "scatter-add": "add", "scatter_add": "add", "scatter-mul": "multiply"}


@converts(*_CHANGES)
def _scatter(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    """Return a value with one part along one axis set to another, or changed by it."""
    value, places, update = inputs
    numbers = equation.params["dimension_numbers"]
    axes = tuple(numbers.scatter_dims_to_operand_dims)
    if not isinstance(places, Known) or np.size(places.array) != 1 or len(axes) != 1:
        return None
    if getattr(numbers, "operand_batching_dims", ()):
        return None
    axis, start = axes[0], int(np.asarray(places.array).reshape(()))
    kept = [size for n, size in enumerate(value.shape) if n != axis]
    size = 1 if axis in numbers.inserted_window_dims else update.shape[axis]
    whole = (*kept[:axis], size, *kept[axis:])
    if np.prod(whole) != np.prod(update.shape) or not 0 <= start <= value.shape[axis] - size:
        return None
    part: Value = reshaped(graph, _unspread(graph, update), whole)
    if function := _CHANGES[equation.primitive.name]:
        before = sliced(graph, value, axis, start, start + size)
        aval = jax.ShapeDtypeStruct(whole, value.dtype)
        part = elementwise(graph, function, (before, part), aval)
    return replaced(graph, value, part, axis, start)
