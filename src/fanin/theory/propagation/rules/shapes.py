"""What changes the shape or the order of values, and what takes a part of them."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import Covariance, mean_place
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import (
    Chain,
    Contributions,
    Fixed,
    Kernel,
    Result,
    Signal,
    Tokens,
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
        places = _places(x, node, context)
        if places is None:
            return Result(Unknown(f"{node.name}: it repeats or mixes positions"))
        width = context.size(node.name, "channel")
        # Copies have independent gradients, as heads that share a key have: they add up.
        copies = math.sqrt(max(width / max(x.width, 1), 1.0)) if node.op == "broadcast" else 1.0
        y = replace(x, places=places, width=width)
        return Result(y, lambda cotangent: [cotangent.times(copies)])
    return Result(x, lambda cotangent: [cotangent])


def _places(x: Signal, node: Node, context: Context) -> Places | None:
    total = context.size(node.name, "position")
    if total == x.places.total or x.places.total == 1:
        return x.places
    return None


def _reshaped(kernel: Kernel, node: Node) -> Kernel:
    axis = 0
    if kernel.parts:
        if node.op != "permute":
            keeps = len(node.shape) > kernel.axis and node.shape[kernel.axis] == kernel.shape[kernel.axis]
            return replace(kernel, shape=node.shape, parts=kernel.parts if keeps else ())
        axis = node["axes"].index(kernel.axis)
    return replace(kernel, shape=node.shape, axis=axis)


def _laid_out(value: Fixed, node: Node) -> Fixed:
    if value.array is None or value.array.ndim == 0:
        return replace(value, shape=node.shape)
    array = value.array
    if node.op == "permute":
        array = array.transpose(node["axes"])
    elif node.op == "broadcast":
        wide = [1] * len(node.shape)
        for size, place in zip(array.shape, node["axes"], strict=True):
            wide[place] = size
        array = array.reshape(wide)
    elif node.op == "reshape":
        array = array.reshape(node.shape) if array.size == math.prod(node.shape) else array
    return replace(value, array=array, shape=node.shape)


def part(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return a slice along channels, positions or, of weights, anything."""
    x = inputs[0]
    if isinstance(x, Kernel):
        return Result(_part_of_kernel(x, node))
    if isinstance(x, Fixed):
        return Result(_part_of_constant(x, node))
    if isinstance(x, Unknown):
        return Result(x)
    axis = context.axes[node.inputs[0]][node["axis"]]
    roles = {atom.role for atom in axis}
    if roles == {"batch"} or not axis:
        return Result(x, lambda cotangent: [cotangent])
    if isinstance(x, Tokens):
        return Result(replace(x, places=_shorter(x.places, node, axis)[0]))
    if roles == {"channel"}:
        return _of_channels(node, x, context)
    if roles == {"position"} and len(context.atoms(node.inputs[0], "position")) == len(axis):
        return _of_positions(node, x, axis, context)
    if roles == {"position"} and len(x.places.sizes) == 1:
        places = Places((context.size(node.name, "position"),), x.places.points)
        return _taken(x, places, np.arange(len(places)) % len(x.places))
    return Result(Unknown(f"{node.name}: it takes a part of an axis of {', '.join(sorted(roles))}s"))


def _part_of_kernel(kernel: Kernel, node: Node) -> Kernel:
    law, parts = kernel.law, kernel.parts
    if parts and node["axis"] == kernel.axis:
        each = kernel.shape[kernel.axis] / len(parts)
        inside = parts[int(node["start"] / each) : max(math.ceil(node["stop"] / each), 1)]
        law, parts = (inside[0], ()) if len(inside) == 1 else (law, inside)
    return replace(kernel, law=law, parts=parts, shape=node.shape)


def _part_of_constant(value: Fixed, node: Node) -> Fixed:
    if value.array is None or value.array.ndim == 0 or value.array.shape[node["axis"]] == 1:
        return replace(value, shape=node.shape)
    index: list[slice | int] = [slice(None)] * value.array.ndim
    index[node["axis"]] = slice(node["start"], node["stop"], node.get("step", 1))
    array = value.array[tuple(index)]
    if node.get("drop"):
        array = array.squeeze(node["axis"])
    return replace(value, array=array, shape=node.shape)


# Channels


def _of_channels(node: Node, x: Signal, context: Context) -> Result:
    """Return some channels: of independent ones a new population, since no other reads the same rows."""
    rows = _rows(node, x, context)
    width = context.size(node.name, "channel")
    if len(x.values) == 1:
        return Result(replace(x, width=width), lambda cotangent: [cotangent])
    chosen = rows[np.arange(len(x.values)) * len(rows) // len(x.values)]
    if x.normal:
        share = 1.0 if x.profile is None else float(np.mean(x.profile[rows]))
        values = context.population(_centred(x) * share) + np.mean(x.values, axis=0, keepdims=True)
        chain = Chain(values, x.chance, lambda z: z)
        y = replace(x, values=values, width=width, chain=chain, profile=None)
    else:
        y = replace(x, values=x.values[chosen], width=width, chain=None)

    def pullback(cotangent: Cotangent) -> Contributions:
        parts = tuple(_scattered(part, rows, len(x.values), context) for part in cotangent.parts)
        return [replace(cotangent, parts=parts)]

    return Result(y, pullback)


def _scattered(part: Part, rows: np.ndarray, total: int, context: Context) -> Part:
    """Return a gradient of some channels as one of all: 0 elsewhere."""
    slope = np.zeros((total, *part.slope.shape[1:]))
    slope[rows] = part.slope[_one_of_each(len(rows), len(part.slope), context)]
    return Part(slope, part.inner)  # whose rows are others


def _centred(x: Signal) -> Covariance:
    values = x.values - np.mean(x.values, axis=0, keepdims=True)
    if x.profile is not None:
        values = values / np.sqrt(np.maximum(x.profile, 1e-300))[:, None, None]
    return replace(x, values=values).covariance


def _rows(node: Node, x: Signal, context: Context) -> np.ndarray:
    """Return the rows that stand for the channels of a slice."""
    name = node.inputs[0]
    atoms = context.atoms(name, "channel")
    axis = context.axes[name][node["axis"]]
    flat = context.channels(context.size(name, "channel"))
    index = dict(
        zip(
            [atom.number for atom in atoms],
            np.unravel_index(flat, [atom.size for atom in atoms]),
            strict=True,
        )
    )
    place = np.zeros_like(flat)
    for atom in axis:
        place = place * atom.size + index[atom.number]
    start, stop, step = node["start"], node["stop"], node.get("step", 1)
    found = np.flatnonzero((place >= start) & (place < stop) & ((place - start) % step == 0))
    return found if len(found) else np.array([np.argmin(np.abs(place - start))])


# Positions


def _of_positions(node: Node, x: Signal, axis: tuple, context: Context) -> Result:
    if x.places.total == 1:
        return Result(x, lambda cotangent: [cotangent])
    places, kept = _shorter(x.places, node, axis)
    return _taken(x, places, kept)


def _shorter(places: Places, node: Node, axis: tuple) -> tuple[Places, np.ndarray]:
    """Return the places of a slice, and which points of the whole they are."""
    total = math.prod(atom.size for atom in axis)
    wanted = np.zeros(total, bool)
    wanted[node["start"] : node["stop"] : node.get("step", 1)] = True
    starts = np.cumsum([0, *places.sizes])
    sizes, kept = [], []
    firsts = np.cumsum([0, *places.counts])
    for block, (start, stop) in enumerate(pairwise(starts)):
        size = int(np.sum(wanted[start:stop]))
        if size:
            sizes.append(size)
            kept += [firsts[block] + point for point in range(min(size, places.counts[block]))]
    return Places(tuple(sizes), places.points), np.asarray(kept)


def _taken(x: Signal, places: Places, kept: np.ndarray) -> Result:
    whole = np.broadcast_to(x.values, (*x.values.shape[:2], len(x.places)))
    y = replace(x, values=whole[..., kept], places=places, chain=None)

    share = np.sqrt(np.minimum(places.share / x.places.share[kept], 1.0))

    def pullback(cotangent: Cotangent) -> Contributions:
        parts = tuple(_put_back(part, len(x.places), kept, share) for part in cotangent.parts)
        return [replace(cotangent, parts=parts)]

    return Result(y, pullback)


def _put_back(part: Part, points: int, kept: np.ndarray, share: Array) -> Part:
    """Return a gradient of the whole: positions of a block that are not all read get it by chance."""
    slope = np.zeros((*part.slope.shape[:2], points))
    slope[..., kept] = np.broadcast_to(part.slope, (*part.slope.shape[:2], len(kept))) * share
    inner = np.zeros((SAMPLES, points, SAMPLES, points))
    inner[:, kept[:, None], :, kept[None, :]] = part.inner.transpose(1, 3, 0, 2)
    return Part(slope, inner)


# Joined values


def concat(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return values side by side: along channels a mixture of them, along positions more blocks."""
    for value in inputs:
        if isinstance(value, Unknown):
            return Result(value)
    kernels = [value for value in inputs if isinstance(value, Kernel)]
    if len(kernels) == len(inputs):
        return Result(_joined_kernels(kernels, node))
    roles = {atom.role for atom in context.axes[node.name][node["axis"]]}
    if roles == {"channel"}:
        return _beside(node, inputs, context)
    if roles == {"position"}:
        return _after(node, inputs, context)
    return Result(Unknown(f"{node.name}: it joins axes of {', '.join(sorted(roles)) or 'nothing'}"))


def _joined_kernels(kernels: list[Kernel], node: Node) -> Value:
    laws = [kernel.law for kernel in kernels if kernel.law is not None]
    if len(laws) < len(kernels):
        return Unknown(f"{node.name}: nobody knows what its parts are distributed by")
    sizes = np.asarray([kernel.shape[node["axis"]] for kernel in kernels], float)
    mean = float(np.average([law.mean for law in laws], weights=sizes))
    second = float(np.average([law.second_moment for law in laws], weights=sizes))
    law = replace(laws[0], mean=mean, variance=max(second - mean**2, 0.0))
    return Kernel(law, node.shape, parts=tuple(laws) if len(set(sizes)) == 1 else (), axis=node["axis"])


def _signals(node: Node, inputs: list[Value], context: Context, places: Places) -> list[Signal]:
    found = []
    for name, value in zip(node.inputs, inputs, strict=True):
        if isinstance(value, Signal):
            found.append(value)
            continue
        assert isinstance(value, Kernel | Fixed)
        values = context.laid(value, context.graph[name], places)
        found.append(Signal(values, places, context.size(name, "channel") or 1, 1))
    return found


def _beside(node: Node, inputs: list[Value], context: Context) -> Result:
    signals = _signals(node, inputs, context, Places())
    places = max((signal.places for signal in signals), key=lambda places: places.total)
    sizes = [context.graph[name].shape[node["axis"]] for name in node.inputs]
    rows = context.normals.rows
    owner = _owners(node, sizes, context)
    shape = (rows, SAMPLES, len(places))
    values = np.empty(shape)
    taken = []
    for number, signal in enumerate(signals):
        mine = np.flatnonzero(owner == number)
        source = _one_of_each(len(mine), len(signal.values), context)
        values[mine] = np.broadcast_to(signal.values, (len(signal.values), *shape[1:]))[source]
        values[mine] *= _evened(values[mine], signal.values)
        taken.append((mine, source))
    weights = np.asarray(sizes) / sum(sizes)
    seconds = np.asarray([signal.q for signal in signals]) * weights
    total = float(np.sum(seconds)) or 1.0
    chance = sum(second / total * signal.chance for second, signal in zip(seconds, signals, strict=True))
    width = context.size(node.name, "channel")
    y = Signal(values, places, width, max(signal.examples for signal in signals), np.asarray(chance))

    def pullback(cotangent: Cotangent) -> Contributions:
        found: Contributions = []
        for value, signal, (mine, source) in zip(inputs, signals, taken, strict=True):
            if not isinstance(value, Signal) or not len(mine) or len(signal.values) == 1:
                found.append(None)
                continue
            parts = tuple(_to_source(part, mine, source, len(signal.values)) for part in cotangent.parts)
            found.append(replace(cotangent, parts=parts))
        return found

    return Result(y, pullback)


def _to_source(part: Part, mine: np.ndarray, source: np.ndarray, rows: int) -> Part:
    """Return a gradient of some rows as one of the rows that they are copies of, which stand for all."""
    if len(part.slope) == 1:
        return Part(part.slope, part.inner)
    slope = np.zeros((rows, *part.slope.shape[1:]))
    slope[source] = part.slope[mine] * math.sqrt(rows / len(source))
    return Part(slope, part.inner)


def _evened(some: Array, whole: Array) -> float:
    """Return the factor by which some rows have the second moment of all."""
    found, wanted = float(np.mean(some**2)), float(np.mean(whole**2))
    return math.sqrt(wanted / found) if len(some) > 1 and found else 1.0


def _one_of_each(count: int, rows: int, context: Context) -> np.ndarray:
    """Return a random row of each of so many parts of all rows, in order, (count,)."""
    if rows == 1:
        return np.zeros(count, int)
    part = np.arange(rows) * count // rows
    starts, ends = (np.searchsorted(part, np.arange(count), side) for side in ("left", "right"))
    return context.normals.among(starts, ends)


def _owners(node: Node, sizes: list[int], context: Context) -> np.ndarray:
    """Return which of the joined values each row of the result comes from, (rows,)."""
    atoms = context.atoms(node.name, "channel")
    axis = context.axes[node.name][node["axis"]]
    flat = context.channels(math.prod(atom.size for atom in atoms))
    index = dict(
        zip(
            [atom.number for atom in atoms],
            np.unravel_index(flat, [atom.size for atom in atoms]),
            strict=True,
        )
    )
    place = np.zeros_like(flat)
    for atom in axis:
        place = place * atom.size + index[atom.number]
    return np.searchsorted(np.cumsum(sizes), place, side="right")


def _after(node: Node, inputs: list[Value], context: Context) -> Result:
    given = [value.places for value in inputs if isinstance(value, Signal)]
    points = max(places.points for places in given)
    signals = []
    for name, value in zip(node.inputs, inputs, strict=True):
        own = Places((context.size(name, "position"),), points)
        signals += _signals(replace(node, inputs=(name,)), [value], context, own)
    places = Places(tuple(size for signal in signals for size in signal.places.sizes), points)
    rows = max(len(signal.values) for signal in signals)
    values = np.concatenate(
        [np.broadcast_to(signal.values, (rows, SAMPLES, len(signal.places))) for signal in signals], axis=2
    )
    shares = [signal.places.total * signal.q for signal in signals]
    total = sum(shares) or 1.0
    chance = sum(share / total * signal.chance for share, signal in zip(shares, signals, strict=True))
    width = max(signal.width for signal in signals)
    y = Signal(values, places, width, max(signal.examples for signal in signals), np.asarray(chance))
    ends = np.cumsum([0, *[len(signal.places) for signal in signals]])

    def pullback(cotangent: Cotangent) -> Contributions:
        found: Contributions = []
        for value, start, stop in zip(inputs, ends[:-1], ends[1:], strict=True):
            mine = replace(cotangent, parts=tuple(_between(part, start, stop) for part in cotangent.parts))
            found.append(mine if isinstance(value, Signal) else None)
            if isinstance(value, Kernel):
                _take_down(value, mine, stop - start, y, context)
        return found

    return Result(y, pullback)


def _between(part: Part, start: int, stop: int) -> Part:
    slope = part.slope if part.slope.shape[2] == 1 else part.slope[..., start:stop]
    return Part(slope, part.inner[:, start:stop, :, start:stop])


def _take_down(value: Kernel, back: Cotangent, points: int, y: Signal, context: Context) -> None:
    places = Places((points,), points)
    found = mean_place(back.covariance(places), places)
    context.gradient(value.weight, context.total(found, Places(), y.examples) * value.factor**2, back.chance)
