"""Pools over windows of positions: the points of a block are dealt out to windows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import joined, split
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import (
    Chain,
    Contributions,
    Result,
    Signal,
    Unknown,
    Value,
)

LARGEST = 16
"""Windows of more positions are averaged by their moments."""


def pool(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return the mean or the largest of each window."""
    x = inputs[0]
    if not isinstance(x, Signal):
        return Result(x if isinstance(x, Unknown) else Unknown(f"{node.name}: it reads no signal"))
    if len(x.places.sizes) > 1:
        return Result(Unknown(f"{node.name}: a pool over a sequence whose positions differ"))
    window = math.prod(node["window"])
    places = Places((context.size(node.name, "position"),), context.points[node.name])
    if window == 1 or x.places.total == 1:
        return Result(x, lambda cotangent: [cotangent])
    if len(x.places) >= window * len(places):
        return _of_windows(node, x, places, window)
    if node["kind"] == "average":
        return _by_moments(x, places, window, context)
    return Result(Unknown(f"{node.name}: the largest of {window} positions"))


def _of_windows(node: Node, x: Signal, places: Places, window: int) -> Result:
    shape = (len(x.values), SAMPLES, len(places), window)
    whole = np.broadcast_to(x.values, (len(x.values), SAMPLES, len(x.places)))
    dealt = whole[..., : len(places) * window].reshape(shape)
    largest = node["kind"] == "max"
    values = np.max(dealt, axis=-1) if largest else np.mean(dealt, axis=-1)
    shares = (dealt == values[..., None]) * 1.0 if largest else np.full((1, 1, 1, 1), 1 / window)
    y = Signal(values, places, x.width, x.examples, x.chance)
    # Each input is read by so many windows, whose gradients are nearly independent.
    often = window * places.total / x.places.total

    def pullback(cotangent: Cotangent) -> Contributions:
        parts = tuple(
            _back(part, shares * math.sqrt(often), len(x.places), window, often) for part in cotangent.parts
        )
        return [replace(cotangent, parts=parts)]

    return Result(y, pullback)


def _back(part: Part, factors: Array, points: int, window: int, often: float) -> Part:
    """Return a gradient of windows as one of their positions; points in no window are like others.

    Two points are of one window more often than two positions are, so that pairs of two windows stand for
    all; each of a pair is read by several windows.
    """
    owner = np.arange(points) // window % part.inner.shape[1]
    dealt = part.slope[..., None] * factors
    flat = dealt.reshape(*dealt.shape[:2], -1)
    if flat.shape[2] > 1:
        flat = flat[..., np.arange(points) % flat.shape[2]]
    inner = part.inner[:, owner][:, :, :, owner]
    apart = owner[:, None] != owner[None, :]
    pairs = points * (points - 1) / max(int(np.sum(apart)), 1)
    scale = np.where(apart, often * pairs, np.eye(points))
    return Part(flat, inner * scale[None, :, None, :])


def _by_moments(x: Signal, places: Places, window: int, context: Context) -> Result:
    mean = x.mean
    within, across = split(x.covariance - mean**2)
    inner = [_averaged(matrix, window, len(places)) for matrix in (within, across)]
    values = context.population(joined(*inner)) + mean
    chain = Chain(values, x.chance, lambda z: z)
    y = Signal(values, places, x.width, x.examples, x.chance, chain=chain, normal=True)
    often = window * places.total / x.places.total

    def pullback(cotangent: Cotangent) -> Contributions:
        same, apart = split(cotangent.covariance(places))
        back = [_dealt(matrix, often, window, len(x.places)) for matrix in (same, apart)]
        return [Cotangent.normal(joined(*back), cotangent.chance, cotangent.drift)]

    return Result(y, pullback)


def _averaged(matrix: Array, window: int, points: int) -> Array:
    one, two = float(matrix[0, 0]), float(matrix[0, -1])
    found = np.full((points, points), two)
    np.fill_diagonal(found, (one + (window - 1) * two) / window)
    return found


def _dealt(matrix: Array, often: float, window: int, points: int) -> Array:
    one, two = float(matrix[0, 0]), float(matrix[0, -1])
    two = two if len(matrix) > 1 else one
    found = np.full((points, points), two * (often / window) ** 2)
    np.fill_diagonal(found, (often * one + often * max(often - 1, 0) * two) / window**2)
    return found
