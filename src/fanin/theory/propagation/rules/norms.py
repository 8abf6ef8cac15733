r"""Norms. Means over many channels are numbers; means over examples and positions are each channel's own.

layer, rms, group:  y = (x - mu) / sqrt(v + eps),  g_x = (g - E[g] - y E[g y]) / sqrt(v + eps)
batch, instance:    the same, with means over places (`channelwise`)
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fanin.graph.signal import Law, Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import covariance
from fanin.theory.propagation.curvature import curvature, gained
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.overlaps import overlap
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.channelwise import over_places
from fanin.theory.propagation.rules.freedom import Statistic, with_moments, without_means
from fanin.theory.propagation.rules.normalized import normalized
from fanin.theory.propagation.signal import (
    STILL,
    Contributions,
    Kernel,
    Pullback,
    Result,
    Signal,
    Unknown,
    Value,
    spread,
)

_IDENTITY = Law(1.0, 0.0)
_ZERO = Law(0.0, 0.0)


def norm(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return normalized values."""
    x = inputs[0]
    if isinstance(x, Unknown):
        return Result(x)
    if not isinstance(x, Signal):
        return Result(Unknown(f"{node.name}: it normalizes no signal"))
    slots = dict(zip(node.get("slots", ()), inputs[1:], strict=False))
    kind = node["kind"]
    if kind in ("layer", "rms") or (kind == "group" and node["groups"] < x.width):
        inner, back = _over_channels(node, x, context)
    elif kind == "batch" and not node.get("train"):
        inner, back = _with_running(node, x, slots)
    else:
        inner, back = over_places(node, x, context)
    if isinstance(inner, Unknown):
        return Result(inner)
    return _affine(node, inner, back, slots, context)


class _Normalized(NamedTuple):
    """Normalized values.

    Args:
        values: (rows, samples, points).
        slope: The root of E[1 / (v + eps)].
        chain: How they come from one normal population, if they do.
    """

    values: Array
    slope: Array
    chain: Chain | None = None


def _over_channels(node: Node, x: Signal, context: Context) -> tuple[Signal, Pullback]:
    atoms = [atom for axis in node["axes"] for atom in context.axes[node.inputs[0]][axis]]
    places = any(atom.role == "position" for atom in atoms)
    channels = math.prod(atom.size for atom in atoms if atom.role == "channel") // (node.get("groups") or 1)
    centred, eps = node["kind"] != "rms", node["eps"]
    values, slope, chain = (_of_groups if places else _at_places)(x, channels, centred, eps)
    y = Signal(values, x.places, x.width, x.examples, STILL, chain=chain, normal=x.normal, exact=True)
    seen = context.seen(x)
    alone = len(context.graph.readers[node.inputs[0]]) == 1

    def lessened(part: Part) -> Part:
        if part.known:
            return part.with_slope(_projected(part.slope, y, centred, places))
        if not places:
            return part.times(np.asarray(max(1 - (1 + centred) / channels, 0.0) ** 0.5))
        # A population that something else knows, too, stays what it is.
        over = Statistic(x.places)
        return without_means(part, y, over, centred=centred, channels=channels) if alone else part

    def pullback(cotangent: Cotangent) -> Contributions:
        parts = tuple(map(lessened, cotangent.parts))
        return [replace(cotangent, parts=parts, chance=cotangent.chance - seen).times(slope)]

    return y, pullback


def _at_places(x: Signal, channels: int, centred: bool, eps: float) -> _Normalized:
    """Return values normalized over the channels of each place."""
    mean = _mean(x.values, x.places, False) if centred else np.zeros((1, 1, 1))
    variance = _mean((x.values - mean) ** 2, x.places, False)
    deviation = np.sqrt(variance + eps)
    chain = None
    if x.chain is not None and np.ptp(deviation) < 1e-9 and np.ptp(mean) < 1e-9:
        shift, scale = float(mean.flat[0]), float(deviation.flat[0])
        chain = replace(x.chain.affine(1 / scale, -shift / scale), chance=STILL)
    # By the chance in v, E[1 / v] is larger than 1 / E[v].
    chance = float(np.var(x.chance[1]) + spread(x.values, x.places, 1)[1] / channels)
    slope = np.sqrt(1 + chance * (variance / deviation**2) ** 2) / deviation
    return _Normalized((x.values - mean) / deviation, slope, chain)


def _of_groups(x: Signal, channels: int, centred: bool, eps: float) -> _Normalized:
    """Return values normalized over some channels and all positions of an example."""
    deviations = x.values - _mean(x.values, x.places, True) if centred else x.values
    found = covariance(deviations, x.places)
    means = found - Statistic(x.places).level(found) if centred else found
    # A mean over all is one of what channels have in common, not of what they differ by.
    inner, inverse = normalized([(means, 1), (found, channels - 1)], x.places, 1, eps)
    of_one, of_all = (spread(x.values, x.places, examples)[0] for examples in (1, x.examples))
    # What came before is known of all examples: of one of them it is as much more as of the values.
    before = np.var(x.chance[0]) * of_one / of_all if of_all else 0.0
    slope = np.full((1, 1, 1), float(inverse * (1 + before)) ** 0.5)
    return _Normalized(with_moments(deviations, x.places, inner), slope)


def _projected(slope: Array, y: Signal, centred: bool, places: bool) -> Array:
    """Return a gradient without what goes along the normalized values, and without its mean."""
    inside = slope - y.values * _mean(slope * y.values, y.places, places)
    return inside - _mean(slope, y.places, places) if centred else inside


def _mean(values: Array, places: Places, over_places: bool) -> Array:
    """Return the mean over the rows, and over positions if wanted, with the axes kept."""
    found = np.mean(values, axis=0, keepdims=True)
    if not over_places:
        return found
    whole = np.broadcast_to(found, (1, found.shape[1], len(places)))
    return (whole @ (places.share / places.total))[..., None]


def _with_running(node: Node, x: Signal, slots: dict[str, Value]) -> tuple[Signal | Unknown, Pullback]:
    mean, variance = (_law(slots.get(slot)) for slot in ("mean", "variance"))
    if mean is None or variance is None:
        return Unknown(f"{node.name}: nobody knows its running statistics"), _none
    scale = 1 / math.sqrt(variance.mean + node["eps"])
    values = (x.values - mean.mean) * scale
    chain = None if x.chain is None else x.chain.affine(scale, -mean.mean * scale)
    y = replace(x, values=values, chain=chain, profile=None, terms=math.inf)
    return y, lambda cotangent: [cotangent.times(scale)]


def _none(cotangent: Cotangent) -> Contributions:
    return [None]


def _law(value: Value | None) -> Law | None:
    return value.law if isinstance(value, Kernel) else None


def _affine(node: Node, inner: Signal, back: Pullback, slots: dict[str, Value], context: Context) -> Result:
    scale = _law(slots.get("scale")) or _IDENTITY
    offset = _law(slots.get("offset")) or _ZERO
    if scale == _IDENTITY and offset == _ZERO:
        factors, shifts = np.ones((1, 1, 1)), np.zeros((1, 1, 1))
    else:
        factors, shifts = _drawn(scale, context), _drawn(offset, context)
    values = inner.values * factors + shifts
    chain = None
    if inner.chain is not None and factors.size == 1 and shifts.size == 1:
        chain = inner.chain.affine(float(factors.flat[0]), float(shifts.flat[0]))
    plain = inner.normal and factors.size == 1 and shifts.size == 1
    y = Signal(
        values,
        inner.places,
        inner.width,
        inner.examples,
        inner.chance,
        chain=chain,
        normal=plain,
        exact=inner.exact and plain,
    )

    def pullback(cotangent: Cotangent) -> Contributions:
        for slot, slope in (("scale", inner.values), ("offset", 1.0)):
            value = slots.get(slot)
            if isinstance(value, Kernel):
                uses = cotangent.times(slope)
                total = context.total(uses.covariance(y.places), y.places, y.examples)
                total += _gained(cotangent, uses, inner, y, context) if slot == "scale" else 0.0
                total += context.beside_others(value, uses, y)
                spread = uses.spread_of_sums(y.places, y.examples)
                context.of_values(value, total, uses.chance, spread)
        return [*back(cotangent.times(factors)), *[None] * len(slots)]

    return Result(y, pullback)


def _gained(cotangent: Cotangent, uses: Cotangent, inner: Signal, y: Signal, context: Context) -> float:
    """Return what E[g^2] of a scale gains as gradients go with what places have in common by chance.

    Args:
        cotangent: With respect to the outputs.
        uses: With respect to the scale, of each use.
        inner: What is scaled.
        y: The outputs.
        context: Of the run.
    """
    more = gained(curvature(cotangent, y), inner.covariance, 1.0, overlap(inner))
    met = uses.met * overlap(inner) * uses.covariance(y.places)
    return context.total(more + met, y.places, y.examples)


def _drawn(law: Law, context: Context) -> Array:
    if not law.variance:
        return np.full((1, 1, 1), law.mean)
    return law.mean + math.sqrt(law.variance) * context.normals.take(1)[:, None, :]
