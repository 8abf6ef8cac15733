"""Pools over windows of positions: points of blocks are dealt out to windows."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rules.largest import Largest
from fanin.theory.propagation.signal import Contributions, Result, Signal, Unknown, Value
from fanin.theory.propagation.windows import Axis, Sums, fitted, over_blocks

LARGEST = 16
"""Windows of more positions are averaged by their moments."""


def pool(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return the mean or the largest of each window."""
    x = inputs[0]
    if not isinstance(x, Signal):
        return Result(x if isinstance(x, Unknown) else Unknown(f"{node.name}: it reads no signal"))
    window = math.prod(node["window"])
    if window == 1 or x.places.total == 1:
        return Result(x, lambda cotangent: [cotangent])
    geometry = _Geometry.of(node, x, context)
    if node["kind"] == "average":
        return _average(node, x, geometry, context)
    if window > LARGEST:
        return Result(Unknown(f"{node.name}: the largest of {window} positions"))
    return _largest(x, geometry)


@dataclass(frozen=True, eq=False)
class _Geometry:
    """Where windows lie.

    Args:
        places: Of the outputs.
        source: Of the inputs, as far as their blocks fit the image.
        axes: Windows along each axis.
        shape: The inputs' image.
        labels: The part of each axis that inputs belong to.
    """

    places: Places
    source: Places
    axes: list[Axis]
    shape: tuple[int, ...]
    labels: list[np.ndarray]

    @classmethod
    def of(cls, node: Node, x: Signal, context: Context) -> _Geometry:
        read = context.graph[node.inputs[0]].shape
        into, out = (tuple(shape[axis] for axis in node["axes"]) for shape in (read, node.shape))
        places = Places.image(out, context.points[node.name])
        labels = x.places.labels(into)
        axes = [
            Axis.of(
                into[axis],
                out[axis],
                node["window"][axis],
                stride=node["stride"][axis],
                before=node["padding"][axis][0],
                dilation=node["dilation"][axis],
            )
            for axis in range(len(out))
        ]
        return cls(places, fitted(x.places, into, labels), axes, into, labels)

    def blocks_read(self) -> np.ndarray:
        """Return the block that each tap of each output point reads, -1 outside, (points, taps)."""
        found = np.zeros((len(self.places), 1), int)
        for axis, at, labels in zip(self.axes, self.places.coordinates.T, self.labels, strict=True):
            number = int(labels.max()) + 1
            read = np.where(axis.inside[at], labels[axis.source[at]], -1)  # (points, taps)
            found = np.where(
                (found[:, :, None] < 0) | (read[:, None, :] < 0),
                -1,
                found[:, :, None] * number + read[:, None, :],
            ).reshape(len(found), -1)
        return found


# The largest of each window


def _largest(x: Signal, geometry: _Geometry) -> Result:
    places = geometry.places
    dealt = _deal(geometry.blocks_read(), x.places, geometry.source)
    whole = np.broadcast_to(x.values, (len(x.values), SAMPLES, len(x.places)))
    read = np.where(dealt >= 0, whole[..., dealt], -np.inf)
    values = np.max(read, axis=-1)
    taken = np.zeros(read.shape)
    np.put_along_axis(taken, np.argmax(read, axis=-1)[..., None], 1.0, axis=-1)
    alone = values > np.max(np.where(taken > 0, -np.inf, read), axis=-1)
    y = Signal(values, places, x.width, x.examples, x.chance, terms=x.terms)
    back = Largest.of(dealt, _larger(x, geometry), geometry.axes, places, x.places)

    def pullback(cotangent: Cotangent) -> Contributions:
        parts = (back.parts(part, taken, alone) for part in cotangent.parts)
        return [replace(cotangent, parts=tuple(itertools.chain.from_iterable(parts)))]

    return Result(y, pullback)


def _larger(x: Signal, geometry: _Geometry) -> Array:
    """Return how often one of so many values is larger than another, as zeros are not, (numbers,)."""
    inside = x.places.owner == np.argmax(x.places.sizes)
    values = x.values[..., inside] if x.values.shape[2] > 1 else x.values
    lowest = np.logical_and.accumulate(values == np.min(values), axis=-1)
    found = 1 - np.mean(lowest, axis=(0, 1))
    most = 2 * math.prod(axis.source.shape[1] for axis in geometry.axes)
    return np.concatenate([[0.0], np.pad(found, (0, max(most - len(found), 0)), mode="edge")])


def _deal(blocks: np.ndarray, places: Places, source: Places) -> np.ndarray:
    """Return a point of its own for each tap of each window, while there are enough, -1 outside."""
    starts, counts = np.cumsum([0, *places.counts[:-1]]), places.counts
    used = [0] * len(counts)
    dealt = np.full(blocks.shape, -1)
    for window, taps in enumerate(blocks):
        for tap, block in enumerate(taps):
            if block >= 0:
                own = block if len(source.sizes) == len(counts) else 0
                dealt[window, tap] = starts[own] + used[own] % counts[own]
                used[own] += 1
    return dealt


# The mean of each window


def _average(node: Node, x: Signal, geometry: _Geometry, context: Context) -> Result:
    weights = [
        axis.weights(length, node.get("count_pad", True))
        for axis, length in zip(geometry.axes, geometry.shape, strict=True)
    ]
    return weighed(x, weights, geometry.places, context)


def weighed(x: Signal, weights: list[Array], places: Places, context: Context) -> Result:
    """Return sums over windows by their moments, as normal numbers.

    Args:
        x: What is summed.
        weights: Of each input in each output, along each axis (outputs, inputs); elsewhere their product.
        places: Of the outputs.
        context: Of the run.
    """
    outputs, shape = zip(*(weight.shape for weight in weights), strict=True)
    labels, read = places.labels(outputs), x.places.labels(shape)
    source = fitted(x.places, shape, read)
    sums = Sums.of(weights, source, places, labels, read)
    back = Sums.of([weight.T for weight in weights], places, source, read, labels)
    y = _sums_of_windows(x, sums, places, context)

    def pullback(cotangent: Cotangent) -> Contributions:
        found = over_blocks(back.moments(cotangent.covariance(places), places), source, x.places)
        return [cotangent.through(found, cotangent.chance)]

    return Result(y, pullback)


def _sums_of_windows(x: Signal, sums: Sums, places: Places, context: Context) -> Signal:
    means = sums.terms @ _means(x, sums.source)  # (blocks, samples)
    if len(x.values) == 1:  # what all channels share is no population
        return replace(x, values=means.T[None, :, places.owner], places=places, chain=None, noise=None)
    mean = np.mean(means, axis=1)[places.owner]
    values = context.population(sums.moments(x.covariance, x.places) - mean[:, None, None] * mean) + mean
    chain = Chain.of(values, x.chance)
    return Signal(values, places, x.width, x.examples, x.chance, chain, normal=True, terms=x.terms)


def _means(x: Signal, source: Places) -> Array:
    """Return E[x] of each block that is read, (blocks, samples)."""
    mean = np.broadcast_to(np.mean(x.values, axis=0), (SAMPLES, len(x.places)))
    blocks = x.places.owner if len(source.sizes) == len(x.places.sizes) else np.zeros(len(x.places), int)
    return np.eye(len(source.sizes))[blocks].T @ (mean * x.places.share).T / np.asarray(source.sizes)[:, None]
