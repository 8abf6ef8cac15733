r"""Panels on which a function is a polynomial to rounding, with edges at its kinks and jumps.

A panel on which the polynomial through 20 Legendre nodes does not reproduce the function in between is
halved. Around a kink or a jump that goes on down to the spacing of floats: there an edge is put, and all
begins again with that edge. What is left between edges is smooth, so that sums over nodes are integrals
to rounding, and polynomials can be differentiated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fanin.errors import FaninError
from fanin.theory.activation import Activation, Array
from fanin.theory.legendre import (
    AT_CHECKS,
    AT_ENDS,
    CHECKS,
    SLOPE_AT_ENDS,
    SLOPE_AT_NODES,
    WEIGHTS,
    between,
    points,
)

REACH = 38.0
"""Standard deviations beyond which float64 has no normal density left."""
_CENTRE = 8.0  # here a value that is not finite is a fault, further out it may be an overflow
_ERRORS = (
    4e-13,
    1e-9,
    1e-5,
)  # relative errors of the polynomials: the first that a function's rounding allows
_MOST = 6000  # panels
_FLOOR = 2.0**-46
_TINY = 1e-3  # panels narrower than this surround something
_RUN = 4  # tiny panels in a row that are no accident
_CLOSE = 1e-5  # breaks nearer than this are one
_ROUNDS = 4


class _UnresolvedError(Exception):
    """Halving does not end."""


@dataclass(frozen=True, eq=False)
class Panels:
    """A function on panels.

    Args:
        edges: Ends of the panels, increasing, (panels + 1,).
        values: The function at the nodes of each panel, (panels, 20).
        jumps: Where it jumps.
        kinks: Where its derivative jumps.
        singular: Where no panel is narrow enough, as at 0 for sqrt(abs(x)).
        error: Relative error of the polynomials.
    """

    edges: Array
    values: Array
    jumps: tuple[float, ...]
    kinks: tuple[float, ...]
    singular: tuple[float, ...]
    error: float

    @property
    def nodes(self) -> Array:
        """The nodes of each panel, (panels, 20)."""
        return points(self.edges)

    @property
    def weights(self) -> Array:
        """Weights of the nodes for an integral over x, (panels, 20)."""
        return np.diff(self.edges)[:, None] / 2 * WEIGHTS

    @property
    def graded(self) -> np.ndarray:
        """Which panels belong to a run that gets narrower towards a place where no edge helps, (panels,)."""
        tiny = np.diff(self.edges) < _TINY
        ends = np.flatnonzero(np.diff(np.concatenate([[0], tiny, [0]])))
        mask = np.zeros(len(tiny), bool)
        for start, end in zip(ends[::2], ends[1::2], strict=True):
            mask[start:end] = end - start > _RUN
        return mask

    @property
    def slopes(self) -> Array:
        """Derivative of the polynomials at the nodes, (panels, 20)."""
        return self.values @ SLOPE_AT_NODES.T * (2 / np.diff(self.edges))[:, None]


def resolve(activation: Activation) -> Panels:
    """Return an activation on panels over +-38, or as far as it is finite beyond +-8.

    Args:
        activation: The function.

    Raises:
        FaninError: It is not finite, or no polynomials follow it.

    Example:
        >>> found = resolve(Activation("two kinks", lambda x: np.clip(x, -0.3, 1.7)))
        >>> [round(kink, 9) for kink in found.kinks]
        [-0.3, 1.7]
    """
    for error in _ERRORS:
        if error > 64 * activation.eps:
            with suppress(_UnresolvedError):
                return _resolved(activation, error)
    raise FaninError(
        f"{activation.name} cannot be followed: it jumps, oscillates or has poles in too many places.",
        expected="a function that is smooth between at most some hundred kinks and jumps",
    )


def _resolved(activation: Activation, error: float) -> Panels:
    edges = _finite_range(activation)
    scale = _scale(activation, edges)
    ends, values, rough = _halved(activation, edges, scale, error)
    for _ in range(_ROUNDS):
        found = [edge for edge in _surrounded(ends) if np.min(np.abs(edges - edge)) > 4 * _floor(edge)]
        if not found:
            break
        edges = np.sort(np.append(edges, found))
        ends, values, rough = _halved(activation, edges, scale, error)
    singular = _centres(ends, rough)
    jumps = _merged(_jumps(ends, values, scale, error), singular)
    kinks = _merged(_kinks(ends, values, scale, error), singular + jumps)
    return Panels(ends, values, jumps, kinks, singular, error)


def _first_edges() -> Array:
    half = np.concatenate([np.arange(0, 6, 0.5), np.arange(6, 12, 1.0), np.arange(12, REACH, 4.0), [REACH]])
    return np.concatenate([-half[:0:-1], half])


def _finite_range(activation: Activation) -> Array:
    """Return the first edges without the outer panels that hold nan or inf."""
    edges = _first_edges()
    x = points(edges)
    bad = ~np.isfinite(activation.value(x))
    if np.any(bad & (np.abs(x) < _CENTRE)):
        raise _not_finite(activation, x, bad)
    middle = len(edges) // 2
    wrong = np.flatnonzero(bad.any(axis=1))
    first = wrong[wrong < middle].max(initial=-1) + 1
    last = wrong[wrong >= middle].min(initial=len(edges) - 1)
    return edges[first : last + 1]


def _not_finite(activation: Activation, x: Array, bad: np.ndarray) -> FaninError:
    place = x[bad][np.argmin(np.abs(x[bad]))]
    value = float(activation.value(np.array([place, place]))[0])
    return FaninError(
        f"{activation.name} is {value} at x = {place:.4g}.",
        expected=f"finite values, at least for x from {-_CENTRE:g} to {_CENTRE:g}",
    )


def _scale(activation: Activation, edges: Array) -> float:
    """Return the function's sd under N(0, 1), roughly: what its errors are measured by."""
    x = points(edges)
    weights = np.diff(edges)[:, None] / 2 * WEIGHTS * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    values = activation.value(x)
    root = np.sqrt(weights)
    return float(np.linalg.norm((values - np.sum(weights * values)) * root))


def _halved(
    activation: Activation, edges: Array, scale: float, error: float
) -> tuple[Array, Array, np.ndarray]:
    """Return ends and values of panels that are halved where needed, and which ones stayed rough."""
    low, high = edges[:-1], edges[1:]
    done: list[tuple[Array, Array, np.ndarray]] = []
    while len(low):
        if len(low) + sum(len(ends) for ends, _, _ in done) > _MOST:
            raise _UnresolvedError
        values = _at(activation, between(low, high))
        rough = ~_followed(activation, low, high, values, scale, error)
        split = rough & (high - low > _floor((low + high) / 2))
        done.append((low[~split], values[~split], rough[~split]))
        middle = (low[split] + high[split]) / 2
        low, high = np.append(low[split], middle), np.append(middle, high[split])
    starts, values, rough = (np.concatenate(parts) for parts in zip(*done, strict=True))
    order = np.argsort(starts)
    return np.append(starts[order], edges[-1]), values[order], rough[order]


def _at(activation: Activation, x: Array) -> Array:
    values = activation.value(x)
    bad = ~np.isfinite(values)
    if bad.any():
        raise _not_finite(activation, x, bad)
    return values


def _followed(
    activation: Activation, low: Array, high: Array, values: Array, scale: float, error: float
) -> np.ndarray:
    """Return on which panels the polynomials have the function's values between the nodes."""
    true = _at(activation, between(low, high, CHECKS))
    miss = np.abs(values @ AT_CHECKS.T - true).max(axis=1)
    spread, size = np.ptp(values, axis=1), np.maximum(scale, np.abs(values).max(axis=1))
    # Nearly all that is visible must be followed on tiny panels, so that kinks are placed exactly.
    strict = error * spread + max(error / 60, 32 * activation.eps) * size
    loose = error * np.maximum(scale, spread) + 32 * activation.eps * size
    return miss <= np.where(high - low < _TINY, strict, loose)


def _floor(x: np.ndarray | float) -> np.ndarray | float:
    return _FLOOR * np.maximum(1.0, np.abs(x))


def _surrounded(ends: Array) -> Iterator[float]:
    """Yield the edges that tiny panels get narrower towards, from both sides."""
    width = np.diff(ends)
    pairs = np.concatenate([[np.inf], width[:-1] + width[1:], [np.inf]])
    narrowest = (pairs[1:-1] <= pairs[2:]) & (pairs[1:-1] < pairs[:-2])
    yield from ends[1:-1][narrowest & (np.maximum(width[:-1], width[1:]) < _TINY)]


def _centres(ends: Array, chosen: np.ndarray) -> tuple[float, ...]:
    """Return the middle of each run of chosen panels."""
    starts = np.flatnonzero(np.diff(np.concatenate([[0], chosen, [0]])))
    return tuple(float(ends[a] + ends[b]) / 2 for a, b in zip(starts[::2], starts[1::2], strict=True))


def _jumps(ends: Array, values: Array, scale: float, error: float) -> Array:
    """Return the edges where neighbours differ in value."""
    sides, size = values @ AT_ENDS.T, np.maximum(scale, np.abs(values).max(axis=1))
    steps = np.abs(sides[:-1, 1] - sides[1:, 0])
    return ends[1:-1][steps > max(1e-6, 30 * error) * np.maximum(size[:-1], size[1:])]


def _kinks(ends: Array, values: Array, scale: float, error: float) -> Array:
    """Return where neighbours differ in slope.

    Neighbours are panels that are wide enough to have a slope; tiny ones between them are passed over.
    """
    wide = np.flatnonzero(np.diff(ends) > _CLOSE)
    half, values, gap = np.diff(ends)[wide] / 2, values[wide], ends[wide[1:]] - ends[wide[:-1] + 1]
    slopes = values @ SLOPE_AT_ENDS.T / half[:, None]
    size = np.maximum(scale, np.abs(values).max(axis=1))
    size, narrow = np.maximum(size[:-1], size[1:]), np.minimum(half[:-1], half[1:])
    # Over a gap the slope of a smooth function changes a little too.
    least = np.where(gap > 0, 0.02, 1e-6) * size + 1e3 * error * size / narrow
    places = np.array([_narrowest(ends[a + 1 : b + 1]) for a, b in pairwise(wide)])
    return places[np.abs(slopes[:-1, 1] - slopes[1:, 0]) > least]


def _narrowest(edges: Array) -> float:
    """Return the end of the narrowest of some panels; the edge itself where there are none."""
    return float(edges[np.argmin(np.diff(edges)) if len(edges) > 1 else 0])


def _merged(places: Array, known: tuple[float, ...] = ()) -> tuple[float, ...]:
    """Return places without those that stand close to one before them, or to a known one."""
    kept: list[float] = []
    for place in places:
        if all(abs(place - other) > _CLOSE * max(1.0, abs(place)) for other in (*known, *kept[-1:])):
            kept.append(float(place))
    return tuple(kept)
