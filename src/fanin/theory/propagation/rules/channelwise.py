r"""Norms of each channel by itself, over all places or over those of an example.

What places of a channel have in common, u, is taken away, and with it what it does behind a function f:

    x = f(z),  z = m + u + e:   y = (x - E[x | u]) / sd(x | u)

up to the chance in the variance of so many places.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.linalg import pinvh

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import covariance, second_moment
from fanin.theory.propagation.draws import Array, levels
from fanin.theory.propagation.places import SAMPLES
from fanin.theory.propagation.rules.freedom import Statistic, with_moments, with_projection, without_means
from fanin.theory.propagation.rules.normalized import normalized
from fanin.theory.propagation.signal import STILL, Chain, Contributions, Pullback, Signal, Unknown

_FEW = 64  # places, which are drawn
_PARTS = 32  # equally likely ones, of what places differ by
_RANK = 1e-6
_LEAST = 1e-6  # of the variance


def over_places(node: Node, x: Signal, context: Context) -> tuple[Signal | Unknown, Pullback]:
    """Normalize each channel over examples and positions, or over the positions of an example."""
    across = node["kind"] == "batch"
    over = Statistic(x.places, max(x.examples, 1) if across else 1)
    if over.examples * x.places.total == 1:
        return Unknown(f"{node.name}: it normalizes a single value"), _none
    spread = x.covariance - over.level(x.covariance)
    if second_moment(spread, x.places) <= 0:
        return Unknown(f"{node.name}: a channel has the same value everywhere"), _none
    scaled = _scaled(x, over, node["eps"], context)
    found = covariance(scaled.values, x.places)
    centred = found - over.level(found)
    if scaled.drawn:
        inner, inverse = centred * second_moment(found, x.places) / second_moment(centred, x.places), 1.0
    else:
        inner, inverse = normalized([(centred, 1)], x.places, over.examples, scaled.eps)
    if x.normal:
        # Part of the variance is chance itself, by which E[1 / v] is larger. But v goes with the size of the
        # weights that made it, by which gradients grow.
        inverse *= 1 + 2 * max(x.overlap - 1 / x.terms, 0.0)
    values = with_moments(scaled.values, x.places, inner)
    chain = Chain(values, STILL, lambda z: z) if x.normal else None
    y = Signal(values, x.places, x.width, x.examples, STILL, chain, normal=x.normal, exact=True)
    seen, slope = context.seen(x), scaled.slope * np.sqrt(inverse)

    def pullback(cotangent: Cotangent) -> Contributions:
        parts = _lessened(cotangent.parts, y, over, by_row=not x.normal and x.chain is not None)
        return [replace(cotangent, parts=parts, chance=cotangent.chance - seen).times(slope)]

    return y, pullback


def _lessened(parts: tuple[Part, ...], y: Signal, over: Statistic, *, by_row: bool) -> tuple[Part, ...]:
    if not by_row:
        return tuple(without_means(part, y, over) for part in parts)
    return tuple(itertools.chain.from_iterable(with_projection(part, y, over) for part in parts))


def _none(cotangent: Cotangent) -> Contributions:
    return [None]


class _Scaled(NamedTuple):
    """Values less their means, in units of a channel's standard deviation or of all channels'.

    Args:
        values: (rows, samples, points).
        slope: One over the unit.
        eps: In these units.
        drawn: Whether all the chance in the variance is there.
    """

    values: Array
    slope: Array
    eps: float
    drawn: bool = False


def _scaled(x: Signal, over: Statistic, eps: float, context: Context) -> _Scaled:
    """Return what is left of values when what a channel's places have in common is taken away."""
    if x.normal or x.chain is None:
        return _Scaled(x.values - np.mean(x.values, axis=0, keepdims=True), np.ones((1, 1, 1)), eps)
    common = _common(x.chain.root, over, context)
    number = over.examples * over.places.total
    if number <= _FEW and len(over.places.sizes) == 1:
        return _drawn(x, common, over, eps, context)
    means, squares = _given(x.chain.function, common, over)
    variance = squares - means**2
    unit = np.sqrt(np.maximum(variance, _LEAST * np.mean(variance)) + eps)
    return _Scaled((x.values - means) / unit, 1 / unit, 0.0)


def _drawn(x: Signal, common: _Common, over: Statistic, eps: float, context: Context) -> _Scaled:
    """Return the same with statistics of as many places as there are, the others drawn."""
    assert x.chain is not None
    number, shape = over.examples * over.places.total, common.values.shape
    axes = (1, 2) if over.examples > 1 else (2,)
    each = [np.broadcast_to(x.values, shape)]
    together = math.prod(shape[axis] for axis in axes)
    for _ in range(round(number / together) - 1):
        more = common.left * context.normals.independent(shape)
        each.append(np.broadcast_to(x.chain.function(common.values + more), shape))
    means = np.mean([np.mean(one, axis=axes, keepdims=True) for one in each], axis=0)
    variance = np.mean([np.mean((one - means) ** 2, axis=axes, keepdims=True) for one in each], axis=0)
    values = (x.values - means) / np.sqrt(variance + eps)
    return _Scaled(values, 1 / np.sqrt(variance + eps), 0.0, drawn=True)


class _Common(NamedTuple):
    """What places of a channel have in common: values u + e.

    Args:
        values: E[z | u], (rows, samples, points).
        left: Standard deviations of e, (samples, points).
    """

    values: Array
    left: Array


def _common(root: Array, over: Statistic, context: Context) -> _Common:
    """Return what places of normal values have in common, drawn given these."""
    places, size = over.places, SAMPLES * len(over.places)
    whole = np.broadcast_to(root, (len(root), SAMPLES, len(places)))
    means = np.mean(whole, axis=0)
    centred = whole - means
    found = covariance(centred, places)
    total = float(over.mean(found)[0, 0, 0, 0])
    if total <= _RANK * second_moment(found, places):
        return _Common(np.broadcast_to(means, whole.shape), np.std(whole, axis=0))
    # m_i, from m_i + m_j - m, of places of one mean with each other.
    each = np.einsum("sitj,ij->sti", over.level(found) + over.mean(found), np.eye(len(places))) / 2
    each = each[:1] if over.examples > 1 else each
    flat = each.reshape(len(each), size)
    weights = pinvh(found.reshape(size, size), rtol=_RANK) @ flat.T
    rest = np.maximum(total - np.einsum("ui,iu->u", flat, weights), 0.0)
    drawn = centred.reshape(-1, size) @ weights + context.normals.take(len(rest)) * np.sqrt(rest)
    own = each[0, 0]
    left = np.einsum("sisi->i", found) / SAMPLES - own**2 / total
    return _Common(means + drawn[:, :, None] * own / total, np.sqrt(np.maximum(left, 0.0)))


def _given(function: Callable[[Array], Array], common: _Common, over: Statistic) -> tuple[Array, Array]:
    """Return means of f and of its square over each channel's places, given what these have in common."""
    share = over.places.share / over.places.total
    found = np.zeros((2, 1, 1, 1))
    for part in levels(_PARTS):
        here = np.broadcast_to(function(common.values + part * common.left), common.values.shape)
        moments = np.stack([here @ share, here**2 @ share])[..., None]
        found = found + (np.mean(moments, axis=2, keepdims=True) if over.examples > 1 else moments) / _PARTS
    return found[0], found[1]
