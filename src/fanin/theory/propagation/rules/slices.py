"""Parts of values: some channels, some positions, and of weights anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from fanin.graph.axes import AtomRole
from fanin.graph.signal import Node
from fanin.theory.propagation.alignment import moved
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import Covariance
from fanin.theory.propagation.draws import Array, repeated, some
from fanin.theory.propagation.evening import evened
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rules.pools import weighed
from fanin.theory.propagation.signal import (
    Contributions,
    Fixed,
    Kernel,
    Result,
    Signal,
    Tokens,
    Unknown,
    Value,
)


def part(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return a slice along channels, positions or, of weights, anything."""
    x = inputs[0]
    if isinstance(x, Kernel):
        return Result(_part_of_kernel(x, node))
    if isinstance(x, Fixed):
        return Result(_part_of_constant(x, node))
    if isinstance(x, Unknown):
        return Result(x)
    roles = {atom.role for atom in context.axes[node.inputs[0]][node["axis"]]}
    if not roles:
        return Result(x, lambda cotangent: [cotangent])
    if isinstance(x, Tokens):
        return Result(_part_of_tokens(x, node, roles, context))
    if roles == {"batch"}:
        return _of_examples(node, x, context)
    if roles == {"channel"}:
        return _of_channels(node, x, context)
    return _along_positions(node, x, roles, context)


def _along_positions(node: Node, x: Signal, roles: set[AtomRole], context: Context) -> Result:
    axes = context.axes[node.inputs[0]]
    if roles != {"position"}:
        return Result(Unknown(f"{node.name}: it takes a part of an axis of {', '.join(sorted(roles))}s"))
    if x.places.total == 1:
        return Result(x, lambda cotangent: [cotangent])
    shape = context.graph[node.inputs[0]].shape
    spatial = [place for place, axis in enumerate(axes) if any(atom.role == "position" for atom in axis)]
    image = tuple(shape[place] for place in spatial)
    index = selected(node, shape[node["axis"]])
    weights = [
        np.eye(size)[index if at == node["axis"] else slice(None)]
        for at, size in zip(spatial, image, strict=True)
    ]
    size = tuple(len(weight) for weight in weights)
    if x.places.grid and x.places.grid == image:
        made = weighed(x, weights, Places.image(size, context.points[node.name]), context)
        return _without_axis(made, spatial.index(node["axis"])) if node.get("drop") else made
    if len(spatial) == 1 and np.all(np.diff(index) > 0):
        return _taken(x, *_shorter(x.places, index))
    whole, back = moved(x, Places((x.places.total,), x.places.points), context.normals)
    places = Places((context.size(node.name, "position"),), x.places.points)
    if len(set(index)) == len(index):
        made = _taken(whole, places, np.arange(len(places)) % len(x.places))
    else:
        made = weighed(whole, weights, places, context)
    return _before(made, back)


def _without_axis(made: Result, axis: int) -> Result:
    """Return an image of which one axis is left out, of which it has a single place."""
    y = made.value
    assert isinstance(y, Signal)
    grid = tuple(size for at, size in enumerate(y.places.grid) if at != axis)
    return Result(replace(y, places=replace(y.places, grid=grid)), made.pullback)


def _before(made: Result, back: Callable[[Cotangent], Cotangent]) -> Result:
    """Return a result whose gradients go back one step more."""
    pullback = made.pullback
    assert pullback is not None
    return Result(made.value, lambda cotangent: [each and back(each) for each in pullback(cotangent)])


def selected(node: Node, length: int) -> np.ndarray:
    """Return which places along its axis a slice takes, in order."""
    index = node.get("index")
    if index is not None:
        return np.asarray(index)
    return np.arange(length)[node["start"] : node["stop"] : node.get("step", 1)]


def _part_of_tokens(x: Tokens, node: Node, roles: set[AtomRole], context: Context) -> Tokens:
    if roles == {"batch"}:
        return replace(x, examples=context.size(node.name, "batch"))
    length = context.graph[node.inputs[0]].shape[node["axis"]]
    if length != x.places.total:  # rows of an image of tokens
        return replace(x, places=Places((context.size(node.name, "position"),), x.places.points))
    return replace(x, places=_shorter(x.places, selected(node, length))[0])


def _part_of_kernel(kernel: Kernel, node: Node) -> Kernel:
    law, parts = kernel.law, kernel.parts
    if parts and node["axis"] == kernel.axis:
        index = selected(node, kernel.shape[kernel.axis])
        each = kernel.shape[kernel.axis] / len(parts)
        inside = parts[int(min(index) / each) : math.ceil((max(index) + 1) / each)]
        law, parts = (inside[0], ()) if len(inside) == 1 else (law, inside)
    # A part has its share of the weight's values, and so of their mean.
    share = math.prod(node.shape) / math.prod(kernel.shape)
    return replace(kernel, law=law, parts=parts, shape=node.shape, factor=kernel.factor * math.sqrt(share))


def _part_of_constant(value: Fixed, node: Node) -> Fixed:
    array, axis = value.array, node["axis"]
    if array is None or array.ndim == 0:
        return replace(value, shape=node.shape)
    if array.shape[axis] > 1:
        array = np.take(array, selected(node, array.shape[axis]), axis=axis)
    return replace(value, array=array.squeeze(axis) if node.get("drop") else array, shape=node.shape)


def _of_examples(node: Node, x: Signal, context: Context) -> Result:
    """Return some examples: gradients are theirs only, and by so much less on average."""
    examples = context.size(node.name, "batch")
    share = math.sqrt(examples / max(x.examples, examples))
    return Result(replace(x, examples=examples), lambda cotangent: [cotangent.times(share)])


# Channels


def _of_channels(node: Node, x: Signal, context: Context) -> Result:
    """Return some channels: of independent ones a new population, since no other reads the same rows."""
    rows = _rows(node, context)
    width = context.size(node.name, "channel")
    if len(x.values) == 1:
        return Result(replace(x, width=width), lambda cotangent: [cotangent])
    chosen = rows[repeated(len(rows), len(x.values))]
    if x.normal:
        share = 1.0 if x.profile is None else float(np.mean(x.profile[rows]))
        values = context.population(_centred(x) * share) + np.mean(x.values, axis=0, keepdims=True)
        chain = Chain.of(values, x.chance)
        y = replace(x, values=values, width=width, chain=chain, profile=None)
    else:
        y = replace(x, values=x.values[chosen], width=width, chain=None)

    def pullback(cotangent: Cotangent) -> Contributions:
        parts = tuple(_scattered(part, rows, len(x.values)) for part in cotangent.parts)
        return [replace(cotangent, parts=parts)]

    return Result(y, pullback)


def _scattered(part: Part, rows: np.ndarray, total: int) -> Part:
    """Return a gradient of some channels as one of all: 0 elsewhere."""
    slope = np.zeros((total, *part.slope.shape[1:]))
    chosen = part.slope[some(len(rows), len(part.slope))]
    slope[rows] = chosen * evened(chosen, part.slope)
    # Rows are others now; of what was drawn they stay in their places.
    return part.with_slope(slope) if part.known else Part(slope, part.inner)


def _centred(x: Signal) -> Covariance:
    values = x.values - np.mean(x.values, axis=0, keepdims=True)
    if x.profile is not None:
        values = values / np.sqrt(np.maximum(x.profile, 1e-300))[:, None, None]
    return replace(x, values=values).covariance


def _rows(node: Node, context: Context) -> np.ndarray:
    """Return the rows that stand for the channels of a slice."""
    place = context.along(node.inputs[0], node["axis"])
    index = selected(node, context.graph[node.inputs[0]].shape[node["axis"]])
    found = np.flatnonzero(np.isin(place, index))
    return found if len(found) else np.array([np.argmin(np.abs(place - index[0]))])


# Positions


def _shorter(places: Places, index: np.ndarray) -> tuple[Places, np.ndarray]:
    """Return the places of a slice, and which points of the whole they are."""
    wanted = np.zeros(places.total, bool)
    wanted[index] = True
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
    if len(kept) == 1:  # what reaches other positions too, on its way through time, is the same there
        everywhere = np.broadcast_to(part.inner, (SAMPLES, points, SAMPLES, points))
        return Part(slope, everywhere, (part.population, points), part.known, part.noise)
    inner = np.zeros((SAMPLES, points, SAMPLES, points))
    inner[:, kept[:, None], :, kept[None, :]] = part.inner.transpose(1, 3, 0, 2)
    return Part(slope, inner)
