r"""Norms. Means over many channels are numbers; means over examples and positions are each channel's own.

layer, rms, group:  y = (x - mu) / sqrt(v + eps),  g_x = (g - E[g] - y E[g y]) / sqrt(v + eps)
batch, instance:    v = q - m for the second moment m of a channel's mean, which is taken from all pairs of
places; E[g_x g_x'] = E[1 / v] (E[g g'] - the same mean of it - p E[y y']), p the mean of E[g y g' y']
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fanin.graph.signal import Law, Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import (
    Covariance,
    covariance,
    joined,
    second_moment,
    split,
)
from fanin.theory.propagation.curvature import curvature, gained
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.overlaps import overlap
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.rules.freedom import level, with_moments, without_means
from fanin.theory.propagation.signal import (
    STILL,
    Chain,
    Contributions,
    Kernel,
    Pullback,
    Result,
    Signal,
    Unknown,
    Value,
    spread,
)
from fanin.theory.propagation.sums import Spectrum, composed

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
        inner, back = _over_places(node, x, context)
    if isinstance(inner, Unknown):
        return Result(inner)
    return _affine(node, inner, back, slots, context)


def _over_channels(node: Node, x: Signal, context: Context) -> tuple[Signal, Pullback]:
    atoms = [atom for axis in node["axes"] for atom in context.axes[node.inputs[0]][axis]]
    places = any(atom.role == "position" for atom in atoms)
    centred = node["kind"] != "rms"
    mean = _mean(x.values, x.places, places) if centred else np.zeros((1, 1, 1))
    deviations = x.values - mean
    variance = _mean(deviations**2, x.places, places)
    deviation = np.sqrt(variance + node["eps"])
    values, slope = deviations / deviation, 1 / deviation
    channels = math.prod(atom.size for atom in atoms if atom.role == "channel") // (node.get("groups") or 1)
    if places:
        inner, inverse = _of_groups(deviations, x, channels, centred, node["eps"])
        values, slope = with_moments(values, x.places, inner), np.sqrt(np.full((1, 1, 1), inverse))
    else:
        slope = slope * np.sqrt(1 + _spread(x, channels) * (variance / deviation**2) ** 2)
    chain = None
    if x.chain is not None and not places and np.ptp(deviation) < 1e-9 and np.ptp(mean) < 1e-9:
        inner, shift, scale = x.chain.function, float(mean.flat[0]), float(deviation.flat[0])
        chain = Chain(x.chain.root, STILL, lambda z: (inner(z) - shift) / scale)
    y = Signal(values, x.places, x.width, x.examples, STILL, chain=chain, normal=x.normal, exact=True)

    seen = context.seen(x)
    alone = len(context.graph.readers[node.inputs[0]]) == 1

    def pullback(cotangent: Cotangent) -> Contributions:
        parts = tuple(
            part.with_slope(_projected(part.slope, y, centred, places))
            if part.known
            else without_means(part, y, channels, centred=centred, places=places, alone=alone)
            for part in cotangent.parts
        )
        back = replace(cotangent, parts=parts, chance=cotangent.chance - seen)
        return [back.times(slope)]

    return y, pullback


def _spread(x: Signal, channels: int) -> float:
    """Return the relative variance of a norm's statistics, by which E[1 / v] is larger than 1 / E[v]."""
    return float(np.var(x.chance[1]) + spread(x.values, x.places, 1)[1] / channels)


def _of_groups(
    deviations: Array, x: Signal, channels: int, centred: bool, eps: float
) -> tuple[Covariance, float]:
    """Return E[y y'] and E[1 / v] of a norm over some channels and all positions of an example."""
    found = covariance(deviations, x.places)
    if centred:
        found = found - level(found, x.places.pairs) / channels
    inner, inverse = _normalized(found, x, channels, across=False, eps=eps)
    of_one, of_all = (spread(x.values, x.places, examples)[0] for examples in (1, x.examples))
    # What came before is known of all examples: of one of them it is as much more as of the values.
    before = np.var(x.chance[0]) * of_one / of_all if of_all else 0.0
    return inner, inverse * float(1 + before)


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
    chain = None
    if x.chain is not None:
        inner = x.chain.function
        chain = Chain(x.chain.root, x.chain.chance, lambda z: (inner(z) - mean.mean) * scale)
    y = replace(x, values=values, chain=chain, profile=None, terms=math.inf)
    return y, lambda cotangent: [cotangent.times(scale)]


def _none(cotangent: Cotangent) -> Contributions:
    return [None]


def _law(value: Value | None) -> Law | None:
    return value.law if isinstance(value, Kernel) else None


def _over_places(node: Node, x: Signal, context: Context) -> tuple[Signal | Unknown, Pullback]:
    """Normalize each channel over examples and positions, or over the positions of an example."""
    across = node["kind"] == "batch"
    counts = _counts(x.places, x.examples, across)
    if np.sum(counts > 0) == 0 or (across and x.examples * x.places.total == 1):
        return Unknown(f"{node.name}: it normalizes a single value"), _none
    centred = x.covariance - _level(x.covariance, counts, across)
    variance = second_moment(centred, x.places)
    if variance <= 0:
        return Unknown(f"{node.name}: a channel has the same value everywhere"), _none
    inner, inverse = _normalized(centred, x, 1, across=across, eps=node["eps"])
    inverse *= 1 + 2 * max(x.overlap - 1 / x.terms, 0.0)
    values = context.population(inner)
    y = Signal(values, x.places, x.width, x.examples, STILL, normal=True, exact=True)
    y = _rooted(y)
    seen = context.seen(x)

    def pullback(cotangent: Cotangent) -> Contributions:
        found = cotangent.covariance(x.places)
        along = _mean_of_pairs(cotangent.times(values).covariance(x.places), counts, across)
        back = found - _level(found, counts, across) - along * inner
        return [cotangent.through(back * inverse, cotangent.chance - seen)]

    return y, pullback


def _rooted(y: Signal) -> Signal:
    return replace(y, chain=Chain(y.values, STILL, lambda z: z))


def _counts(places: Places, examples: int, across: bool) -> Array:
    if across:
        return pair_counts(places, max(examples, 1))
    return np.stack([places.pairs] * SAMPLES)


def _level(found: Covariance, counts: Array, across: bool) -> Covariance:
    """Return what subtracting a channel's mean takes away: m_i + m_j - m, means over one place and both."""
    if not across:
        return level(found, counts[0])
    rows = np.sum(counts * found, axis=(2, 3)) / np.sum(counts, axis=(2, 3))
    weights = np.sum(counts, axis=(2, 3))
    mean = float(np.sum(rows * weights) / np.sum(weights))
    return rows[:, :, None, None] + rows[None, None] - mean


def _mean_of_pairs(found: Covariance, counts: Array, across: bool) -> float:
    """Return the mean over all pairs of places that one statistic is taken over."""
    if across:
        return float(np.sum(counts * found) / np.sum(counts))
    return float(np.sum(counts[0] * split(found)[0]) / np.sum(counts[0]))


def _normalized(
    centred: Covariance, x: Signal, channels: int, *, across: bool, eps: float
) -> tuple[Covariance, float]:
    r"""Return E[y y'] of normalized values, and E[1 / (v + eps)], with the chance in v.

    v is sum l z^2 / N, of normal z and the eigenvalues l of the second moments of all N places of all
    channels. With p(t) = e^(-eps t) prod (1 + 2 t l / N)^(-1/2),

        E[1 / (v + eps)] = int_0^inf p(t) dt,  E[l z^2 / (v + eps)] = int_0^inf p(t) l / (1 + 2 t l / N) dt
    """
    spectrum = Spectrum.of(centred, x.places, max(x.examples, 1) if across else 1)
    values, number = np.maximum(spectrum.values, 0.0), float(np.sum(spectrum.often))
    size = float(values @ spectrum.often) / number
    squares = 1 + 2 * np.multiply.outer(_TIMES, values / (number * channels * size))
    weights = _WEIGHTS * np.exp(-0.5 * channels * np.log(squares) @ spectrum.often - _TIMES * eps / size)
    inverse = min(float(np.sum(weights)), _MOST) / size
    inner = spectrum.changed(weights @ (1 / squares) * values / size)
    if not across:
        inner = joined(split(inner)[0], _between(centred, size + eps, x.places, channels))
    return inner, inverse


def _between(centred: Covariance, size: float, places: Places, channels: int) -> Array:
    r"""Return E[y y'] of two examples, each with its own v, to second order in the chance of these.

    With 1 / sqrt(v) = (1 - d / 2 + 3 d^2 / 8) / sqrt(E[v]) and normal values,

        E[x x' / sqrt(v v')] = (E[x x'] (1 + 3/4 E[d^2] + 1/4 E[d d']) - (S A + A S) / n N E[v]) / E[v]

    S and A the second moments within an example and between two.
    """
    same, apart = split(centred)
    pairs, number = split(pair_counts(places, SAMPLES)), places.total * size
    own, shared = (
        2 * float(np.sum(count * found**2)) / number**2 / channels
        for count, found in zip(pairs, (same, apart), strict=True)
    )
    along = composed(same, apart, places) / (number * channels)
    return (apart * (1 + 0.75 * own + 0.25 * shared) - along - along.T) / size


def _half_line(points: int) -> tuple[Array, Array]:
    """Return nodes and weights of integrals from 0 to infinity."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    inside = (1 + nodes) / 2
    return inside / (1 - inside), weights / (2 * (1 - inside) ** 2)


_TIMES, _WEIGHTS = _half_line(64)
_MOST = 5.0  # of so few places E[1 / v] is infinite


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
        function, factor, shift = inner.chain.function, float(factors.flat[0]), float(shifts.flat[0])
        chain = Chain(inner.chain.root, inner.chain.chance, lambda z: function(z) * factor + shift)
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
