"""The same elements in other places: shapes, orders, parts and repetitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch

from fanin.frameworks.torch.graph.call import Call, Result, converts
from fanin.frameworks.torch.graph.ops.resizing import interpolated, summed_along
from fanin.frameworks.torch.graph.values import Value, number_of

_MOST_RUNS = 16
"""So many slices may take the place of an index."""


@converts(
    "view", "reshape", "_unsafe_view", "_reshape_alias", "flatten", "unflatten", "unsqueeze", "squeeze",
    "view_as", "reshape_as", "ravel", "atleast_1d", "atleast_2d", "view_copy",
)  # fmt: skip
def _reshape(call: Call) -> Result:
    if call.dtype != call.x.dtype and call.target == "aten.view" and call.overload == "dtype":
        return call.opaque("of bits")
    return call.graph.reshape(call.x, call.shape)


@converts(
    "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "numpy_T", "mT", "adjoint"
)
def _permute(call: Call) -> Result:
    name = call.target.removeprefix("aten.")
    return call.graph.permute(call.x, order_of(name, call.x, list(call.arguments.values())[1:]))


def order_of(name: str, x: Value, arguments: Sequence[Any]) -> list[int]:
    """Return which axis of a value each axis is after an operation that only moves axes.

    Args:
        name: PyTorch's name of the operation.
        x: The value.
        arguments: What follows it.
    """
    axes = list(range(x.ndim))
    if name == "permute":
        return [x.axis(axis) for axis in arguments[0]]
    if name in ("movedim", "moveaxis"):
        return _moved(x, *arguments)
    if name in ("transpose", "swapaxes", "swapdims"):
        first, second = (x.axis(axis) for axis in arguments)
        axes[first], axes[second] = axes[second], axes[first]
        return axes
    return axes[::-1] if name == "numpy_T" else [*axes[:-2], *axes[-2:][::-1]]


def _moved(x: Value, source: int | Sequence[int], target: int | Sequence[int]) -> list[int]:
    sources = [x.axis(axis) for axis in ([source] if isinstance(source, int) else source)]
    targets = [x.axis(axis) for axis in ([target] if isinstance(target, int) else target)]
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for place, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(place, axis)
    return order


@converts("expand", "expand_as", "broadcast_to")
def _broadcast(call: Call) -> Result:
    return call.graph.broadcast(call.x, call.shape)


@converts("broadcast_tensors")
def _broadcast_all(call: Call) -> Result:
    return tuple(call.graph.broadcast(value, call.shape) for value in call["tensors"])


@converts("repeat", "tile")
def _repeat(call: Call) -> Result:
    x, shape = call.x, call.shape
    own = (1,) * (len(shape) - x.ndim) + x.shape
    split = [n for total, size in zip(shape, own, strict=True) for n in (total // size if size else 0, size)]
    ones = [n for size in own for n in (1, size)]
    repeated = call.graph.broadcast(call.graph.reshape(x, ones), split)
    return call.graph.reshape(repeated, shape)


@converts("repeat_interleave")
def _repeat_each(call: Call) -> Result:
    x, times = call.x, number_of(call.get("repeats"))
    if times is None or "self" not in call.arguments:
        return call.opaque()
    if call.get("dim") is None:
        x = call.graph.reshape(x, (x.size,))
    axis = x.axis(call.get("dim", 0))
    return call.graph.reshape(repeated(call, x, axis, int(times)), call.shape)


def repeated(call: Call, x: Value, axis: int, times: int) -> Value:
    """Return a value each of whose elements along an axis is there several times in a row."""
    before, after = x.shape[: axis + 1], x.shape[axis + 1 :]
    split = call.graph.broadcast(call.graph.reshape(x, (*before, 1, *after)), (*before, times, *after))
    return call.graph.reshape(split, (*x.shape[:axis], x.shape[axis] * times, *after))


@converts("cat", "concat", "concatenate", "hstack", "vstack", "row_stack", "dstack", "column_stack")
def _concat(call: Call) -> Result:
    values: list[Value] = list(call["tensors"])
    axes = {"hstack": 1 if len(call.shape) > 1 else 0, "dstack": 2, "column_stack": 1}
    axis = call.arguments.get("dim", axes.get(call.target.removeprefix("aten."), 0))
    kept = [value for value in values if value.shape != (0,)]
    if any(value.ndim != len(call.shape) for value in kept):
        return call.opaque("of other shapes")
    return call.graph.concat(kept, axis)


@converts("stack")
def _stack(call: Call) -> Result:
    axis = call["dim"] % len(call.shape)
    shape = [1 if place == axis else n for place, n in enumerate(call.shape)]
    return call.graph.concat([call.graph.reshape(value, shape) for value in call["tensors"]], axis)


@converts("slice")
def _slice(call: Call) -> Result:
    axis = call.x.axis(call["dim"])
    start, stop, step = slice(call["start"], call["end"], call["step"]).indices(call.x.shape[axis])
    return call.graph.slice(call.x, axis, start, max(stop, start), step)


@converts("select")
def _select(call: Call) -> Result:
    axis = call.x.axis(call["dim"])
    index = number_of(call["index"])
    if index is None:
        return call.opaque("of a computed index")
    index = int(index) % call.x.shape[axis]
    return call.graph.slice(call.x, axis, index, index + 1, drop=True)


@converts("narrow")
def _narrow(call: Call) -> Result:
    start = number_of(call["start"])
    if start is None:
        return call.opaque("of a computed start")
    axis = call.x.axis(call["dim"])
    first = int(start) % call.x.shape[axis]
    return call.graph.slice(call.x, axis, first, first + call["length"])


@converts(
    "split", "split_with_sizes", "chunk", "unsafe_chunk", "unsafe_split", "tensor_split", "hsplit", "vsplit",
    "dsplit",
)  # fmt: skip
def _split(call: Call) -> Result:
    axes = {"aten.hsplit": 1 if call.x.ndim > 1 else 0, "aten.vsplit": 0, "aten.dsplit": 2}
    axis = call.x.axis(axes[call.target] if call.target in axes else call["dim"])
    ends = list(accumulate(shape[axis] for shape, _ in call.results))
    starts = [0, *ends[:-1]]
    return tuple(call.graph.slice(call.x, axis, a, b) for a, b in zip(starts, ends, strict=True))


@converts("unbind")
def _unbind(call: Call) -> Result:
    axis = call.x.axis(call["dim"])
    return tuple(call.graph.slice(call.x, axis, i, i + 1, drop=True) for i in range(len(call.results)))


@converts("roll")
def _roll(call: Call) -> Result:
    x = call.x
    if not call["dims"]:
        x = call.graph.reshape(x, (x.size,))
    for shift, dim in zip(call["shifts"], call["dims"] or (0,), strict=True):
        axis = x.axis(dim)
        size = x.shape[axis]
        cut = (size - shift) % size if size else 0
        if cut:
            parts = call.graph.slice(x, axis, cut, size), call.graph.slice(x, axis, 0, cut)
            x = call.graph.concat(parts, axis)
    return call.graph.reshape(x, call.shape)


@converts("pad", "constant_pad_nd")
def _pad(call: Call) -> Result:
    x, mode, pads = call.x, call.get("mode", "constant"), list(call["pad"])
    pairs = [(0, 0)] * (x.ndim - len(pads) // 2)
    pairs += [(pads[i], pads[i + 1]) for i in range(len(pads) - 2, -1, -2)]
    if mode != "constant":
        return _continued(call, x, pairs, mode)
    for axis, (before, after) in enumerate(pairs):  # a negative one cuts
        x = call.graph.slice(x, axis, max(-before, 0), x.shape[axis] - max(-after, 0))
    padding = tuple((max(before, 0), max(after, 0)) for before, after in pairs)
    if not any(map(any, padding)):
        return x
    return call.graph.emit("pad", [x], call.shape, padding=padding, value=call.get("value", 0))


def _continued(call: Call, x: Value, pairs: list[tuple[int, int]], mode: str) -> Result:
    """Return a value that goes on beyond its ends with parts of its own."""
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            first, last = _beyond(call, x, axis, before, after, mode)
            x = call.graph.concat([*([first] if before else []), x, *([last] if after else [])], axis)
    return x


def _beyond(call: Call, x: Value, axis: int, before: int, after: int, mode: str) -> tuple[Value, Value]:
    """Return what comes before a value and after it; with nothing there, anything."""
    size, part = x.shape[axis], call.graph.slice
    if mode == "circular":
        return part(x, axis, size - before, size), part(x, axis, 0, after)
    if mode == "reflect":
        last = part(x, axis, size - 2, size - 2 - after, -1) if after else x
        return (part(x, axis, before, 0, -1) if before else x), last
    ends = part(x, axis, 0, 1), part(x, axis, size - 1, size)
    wide = [(*x.shape[:axis], times, *x.shape[axis + 1 :]) for times in (before, after)]
    return call.graph.broadcast(ends[0], wide[0]), call.graph.broadcast(ends[1], wide[1])


@converts("index_select")
def _index_select(call: Call) -> Result:
    return taken(call, call.x, call["dim"], call["index"])


@converts("index", "_unsafe_index")
def _index(call: Call) -> Result:
    places = [axis for axis, index in enumerate(call["indices"]) if index is not None]
    if len(places) != 1:
        return call.opaque("of several axes")
    return taken(call, call.x, places[0], call["indices"][places[0]])


def taken(call: Call, x: Value, axis: int, index: Value) -> Result:
    """Return places along an axis: rows of a table of weights, or slices where they are known and few."""
    axis = x.axis(axis)
    if axis == 0 and x.ndim == 2 and x.learned and index.dtype != "bool":
        return call.graph.emit("embedding", [index, x], call.shape, x.dtype, padding=None)
    if index.tensor is None or index.tensor.dtype.is_floating_point:
        return call.opaque()
    if index.ndim != 1:
        return _gathered(call, x, axis, index)
    known = index.tensor.nonzero()[:, 0] if index.dtype == "bool" else index.tensor % x.shape[axis]
    runs = _runs(known.tolist())
    if len(runs) > _MOST_RUNS:
        return summed_along(call, x, axis, torch.eye(x.shape[axis])[known])
    if not runs:
        return call.opaque()
    return call.graph.concat([call.graph.slice(x, axis, start, stop) for start, stop in runs], axis)


def _gathered(call: Call, x: Value, axis: int, index: Value) -> Result:
    """Return what stands at places of an axis, in a shape: rows of a table where it is made of weights."""
    if index.dtype == "bool":
        return call.opaque("of a mask")
    if not x.learned:
        assert index.tensor is not None
        flat = Value((index.size,), index.dtype, tensor=index.tensor.flatten())
        made = taken(call, x, axis, flat)
        return call.graph.reshape(made, call.shape) if isinstance(made, Value) else made
    others = [place for place in range(x.ndim) if place != axis]
    rest = [x.shape[place] for place in others]
    table = call.graph.reshape(call.graph.permute(x, [axis, *others]), (x.shape[axis], math.prod(rest)))
    rows = call.graph.emit("embedding", [index, table], (*index.shape, table.shape[1]), x.dtype, padding=None)
    apart = call.graph.reshape(rows, (*index.shape, *rest))
    order = [*range(index.ndim, index.ndim + axis), *range(index.ndim), *range(index.ndim + axis, apart.ndim)]
    return call.graph.permute(apart, order)


def _runs(places: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pieces of places that follow each other.

    Example:
        >>> _runs([3, 4, 0])
        [(3, 5), (0, 1)]
    """
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and runs[-1][1] == place:
            runs[-1] = runs[-1][0], place + 1
        else:
            runs.append((place, place + 1))
    return runs


@converts("pixel_shuffle")
def _pixel_shuffle(call: Call) -> Result:
    x, factor = call.x, int(call["upscale_factor"])
    *lead, channels, height, width = x.shape
    n, out = len(lead), channels // factor**2
    split = call.graph.reshape(x, (*lead, out, factor, factor, height, width))
    moved = call.graph.permute(split, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return call.graph.reshape(moved, call.shape)


@converts("pixel_unshuffle")
def _pixel_unshuffle(call: Call) -> Result:
    x, factor = call.x, int(call["downscale_factor"])
    *lead, channels, height, width = x.shape
    n = len(lead)
    split = call.graph.reshape(x, (*lead, channels, height // factor, factor, width // factor, factor))
    moved = call.graph.permute(split, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return call.graph.reshape(moved, call.shape)


@converts("channel_shuffle")
def _channel_shuffle(call: Call) -> Result:
    x, groups = call.x, int(call["groups"])
    split = call.graph.reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    return call.graph.reshape(call.graph.permute(split, (0, 2, 1, *range(3, split.ndim))), call.shape)


@converts("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")
def _upsample(call: Call) -> Result:
    x = call.x
    for axis in range(2, x.ndim):
        times, rest = divmod(call.shape[axis], x.shape[axis])
        x = interpolated(call, x, axis) if rest else repeated(call, x, axis, times) if times > 1 else x
    return x
