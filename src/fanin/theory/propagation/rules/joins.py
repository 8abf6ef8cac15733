"""Values side by side, or one after the other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.alignment import common, moved
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import mean_place
from fanin.theory.propagation.draws import some
from fanin.theory.propagation.evening import evened
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import (
    Contributions,
    Fixed,
    Kernel,
    Result,
    Signal,
    Unknown,
    Value,
)


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
    given = _signals(node, inputs, context, Places())
    places = common(given)
    if places is None:
        return Result(Unknown(f"{node.name}: its inputs have different positions"))
    signals, backs = zip(*(moved(signal, places, context.normals) for signal in given), strict=True)
    sizes = [context.graph[name].shape[node["axis"]] for name in node.inputs]
    rows = context.normals.rows
    owner = _owners(node, sizes, context)
    shape = (rows, SAMPLES, len(places))
    values = np.empty(shape)
    taken = []
    for number, signal in enumerate(signals):
        mine = np.flatnonzero(owner == number)
        source = some(len(mine), len(signal.values))
        values[mine] = np.broadcast_to(signal.values, (len(signal.values), *shape[1:]))[source]
        values[mine] *= evened(values[mine], signal.values)
        taken.append((mine, source))
    weights = np.asarray(sizes) / sum(sizes)
    seconds = np.asarray([signal.q for signal in signals]) * weights
    total = float(np.sum(seconds)) or 1.0
    chance = sum(second / total * signal.chance for second, signal in zip(seconds, signals, strict=True))
    width = context.size(node.name, "channel")
    y = Signal(values, places, width, max(signal.examples for signal in signals), np.asarray(chance))

    def pullback(cotangent: Cotangent) -> Contributions:
        found: Contributions = []
        for value, signal, back, (mine, source) in zip(inputs, signals, backs, taken, strict=True):
            if not isinstance(value, Signal) or not len(mine) or len(signal.values) == 1:
                found.append(None)
                continue
            parts = tuple(_to_source(part, mine, source, len(signal.values)) for part in cotangent.parts)
            found.append(back(replace(cotangent, parts=parts)))
        return found

    return Result(y, pullback)


def _to_source(part: Part, mine: np.ndarray, source: np.ndarray, rows: int) -> Part:
    """Return a gradient of some rows as one of the rows that they are copies of, which stand for all."""
    if len(part.slope) == 1:
        return Part(part.slope, part.inner)
    slope = np.zeros((rows, *part.slope.shape[1:]))
    slope[source] = part.slope[mine] * math.sqrt(rows / len(source))
    return Part(slope, part.inner)


def _owners(node: Node, sizes: list[int], context: Context) -> np.ndarray:
    """Return which of the joined values each row of the result comes from, (rows,)."""
    place = context.along(node.name, node["axis"])
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
    context.of_values(value, context.total(found, Places(), y.examples), back.chance, 2.0)
