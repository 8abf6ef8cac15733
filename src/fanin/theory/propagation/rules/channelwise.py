r"""Norms of each channel by itself, over all places or over those of an example.

What places of a channel have in common, u, is taken away, and with it what it does behind a function f:

    x = f(z),  z = m + u + e:   y = (x - E[x | u]) / sd(x | u)

up to the chance in the variance of so many places.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.linalg import pinvh

from fanin.graph.signal import Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import covariance, second_moment
from fanin.theory.propagation.draws import Array, levels
from fanin.theory.propagation.places import SAMPLES
from fanin.theory.propagation.rules.freedom import Statistic, with_moments, with_projection, without_means
from fanin.theory.propagation.rules.normalized import normalized
from fanin.theory.propagation.signal import STILL, Contributions, Pullback, Signal, Unknown

_FEW = 512  # places, which are drawn
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
    if scaled.by_channel:
        centred = centred / scaled.size
    if scaled.drawn:
        inner, inverse = centred / second_moment(centred, x.places), 1.0
    else:
        inner, inverse = normalized([(centred, 1)], x.places, over.examples, scaled.eps)
    if x.normal:
        # Part of the variance is chance itself, by which E[1 / v] is larger. But v goes with the size of the
        # weights that made it, by which gradients grow.
        inverse *= 1 + 2 * max(x.overlap - 1 / x.terms, 0.0)
    values = with_moments(scaled.values, x.places, inner * scaled.size)
    chain = Chain.of(values, STILL) if x.normal else None
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
        size: What eps has left of their second moment.
        by_channel: Whether each channel has a unit of its own.
        drawn: Whether all the chance in the variance is there.
    """

    values: Array
    slope: Array
    eps: float
    size: float = 1.0
    by_channel: bool = False
    drawn: bool = False


def _scaled(x: Signal, over: Statistic, eps: float, context: Context) -> _Scaled:
    """Return what is left of values when what a channel's places have in common is taken away."""
    if x.normal or x.chain is None:
        return _Scaled(x.values - np.mean(x.values, axis=0, keepdims=True), np.ones((1, 1, 1)), eps)
    few = over.examples * over.places.total <= _FEW
    common = _common(x.chain.root.values, over, context, others=few)
    if few:
        return _drawn(x, common, over, eps, context)
    means, squares = _given(x.chain.function, common, over)
    variance = np.maximum(squares - means**2, 0.0)
    return _scaled_by(x.values - means, np.maximum(variance, _LEAST * np.mean(variance)), eps)


def _scaled_by(values: Array, variance: Array, eps: float, *, drawn: bool = False) -> _Scaled:
    """Return values over the standard deviations of their channels."""
    unit = np.sqrt(variance + eps)
    return _Scaled(values / unit, 1 / unit, 0.0, float(np.mean(variance / unit**2)), True, drawn)


def _drawn(x: Signal, common: _Common, over: Statistic, eps: float, context: Context) -> _Scaled:
    """Return the same with statistics of as many places as there are, the others drawn."""
    assert x.chain is not None
    shape, axes = common.values.shape, (1, 2) if over.examples > 1 else (2,)
    # Places that each point stands for, itself among them.
    often = np.rint(over.places.share * max(over.examples / SAMPLES, 1))
    count = float(np.sum(often)) * (SAMPLES if over.examples > 1 else 1)
    shift = np.mean(x.values, axis=0)  # of all channels; what is left to subtract is small
    first, second = np.zeros((2, len(x.values), *(1 if axis in axes else shape[axis] for axis in (1, 2))))
    for drawn in range(int(np.max(often))):
        given = _again(x.chain.function, common, context) if drawn else x.values
        each = np.where(often > drawn, np.broadcast_to(given, shape) - shift, 0.0)
        first += np.sum(each, axis=axes, keepdims=True) / count
        second += np.sum(each**2, axis=axes, keepdims=True) / count
    return _scaled_by(x.values - shift - first, np.maximum(second - first**2, 0.0), eps, drawn=True)


def _again(function: Callable[[Array], Array], common: _Common, context: Context) -> Array:
    """Return values of other places, of the same channels."""
    return function(common.values + common.left * context.normals.independent(common.values.shape))


class _Common(NamedTuple):
    """What places of a channel have in common: values u + e.

    Args:
        values: E[z | u], (rows, samples, points).
        left: Standard deviations of e, (samples, points).
    """

    values: Array
    left: Array


def _common(root: Array, over: Statistic, context: Context, *, others: bool) -> _Common:
    """Return what places of normal values have in common, drawn given these.

    Args:
        root: The values.
        over: What a mean is taken over.
        context: Of the run.
        others: Whether that is what a place has in common with others, not the mean that it has a share of.
    """
    places, size = over.places, SAMPLES * len(over.places)
    whole = np.broadcast_to(root, (len(root), SAMPLES, len(places)))
    means = np.mean(whole, axis=0)
    centred = whole - means
    found = covariance(centred, places)
    own = np.einsum("sisi->i", found) / SAMPLES
    share = 1 / (over.examples * places.total) if others else 0.0
    total = (float(over.mean(found)[0, 0, 0, 0]) - share * second_moment(found, places)) / (1 - share)
    if total <= _RANK * second_moment(found, places):
        return _Common(np.broadcast_to(means, whole.shape), np.std(whole, axis=0))
    # m_i, from m_i + m_j - m, of places of one mean with each other.
    each = np.einsum("sitj,ij->sti", over.level(found) + over.mean(found), np.eye(len(places))) / 2
    each = (each - share * own * _one_mean(over)) / (1 - share)
    each = each[:1] if over.examples > 1 else each
    flat = each.reshape(len(each), size)
    weights = pinvh(found.reshape(size, size), rtol=_RANK) @ flat.T
    rest = np.maximum(total - np.einsum("ui,iu->u", flat, weights), 0.0)
    drawn = centred.reshape(-1, size) @ weights + context.normals.take(len(rest)) * np.sqrt(rest)
    shared = each[0, 0] / total
    left = own - shared**2 * total
    return _Common(means + drawn[:, :, None] * shared, np.sqrt(np.maximum(left, 0.0)))


def _one_mean(over: Statistic) -> Array:
    """Return whether two samples are of one mean, (samples, samples, 1)."""
    return (np.ones((SAMPLES,) * 2) if over.examples > 1 else np.eye(SAMPLES))[..., None]


def _given(function: Callable[[Array], Array], common: _Common, over: Statistic) -> tuple[Array, Array]:
    """Return means of f and of its square over each channel's places, given what these have in common."""
    share = over.places.share / over.places.total
    found = np.zeros((2, 1, 1, 1))
    for part in levels(_PARTS):
        here = np.broadcast_to(function(common.values + part * common.left), common.values.shape)
        moments = np.stack([here @ share, here**2 @ share])[..., None]
        found = found + (np.mean(moments, axis=2, keepdims=True) if over.examples > 1 else moments) / _PARTS
    return found[0], found[1]
