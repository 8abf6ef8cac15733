r"""The length map: how a layer changes the second moment of its pre-activations.

A layer of n units with weights N(0, g^2 / n) gets from pre-activations of second moment q those of

    q' = g^2 / n sum_i f(sqrt(q) z_i)^2,  z_i independent N(0, 1),

which has mean V(q) = g^2 E[f(sqrt(q) z)^2] and relative variance r(q) / n, with
r = E[f^4] / E[f^2]^2 - 1. Given q', the pre-activations are independent normal again, so q is a Markov
chain: this is exact at every width.

References:
    Poole et al. (2016), arXiv:1606.05340, eq. 3 (V); Hanin, Rolnick (2018), arXiv:1803.01719 (finite width).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fanin.theory.activation import Activation, Array
from fanin.theory.legendre import WEIGHTS, points
from fanin.theory.panels import Panels

_GRID = np.linspace(-14.0, 14.0, 41)  # edges in standard deviations
_LOGS = np.concatenate([np.arange(-28, -5, 0.5), np.arange(-5, 5, 0.1), np.arange(5, 28.5, 0.5)])
_TAIL = 1e-6
_SMALL = 1e-300


@dataclass(frozen=True, eq=False)
class LengthMap:
    """log q -> log V(q) and r(q), as splines that go on as straight lines.

    Args:
        log_length: log V at log q.
        spread: r at log q.
        limit: The log q from which V is infinite.
    """

    log_length: Callable[[Array], Array]
    spread: Callable[[Array], Array]
    limit: float


def length_map(activation: Activation, panels: Panels, gain: float) -> LengthMap:
    """Return the length map of an activation under a gain.

    Args:
        activation: The function.
        panels: The function on panels.
        gain: The gain g of the weights.

    Example:
        >>> from fanin.theory.names import named
        >>> from fanin.theory.panels import resolve
        >>> relu = length_map(named("relu"), resolve(named("relu")), math.sqrt(2))
        >>> abs(float(relu.log_length(np.array(1.0))) - 1) < 1e-9  # V(q) = q
        True
    """
    lengths, spreads = _table(activation, panels)
    lengths *= gain**2
    infinite = np.isinf(lengths) | np.isinf(spreads)
    known = np.isfinite(lengths) & np.isfinite(spreads)
    return LengthMap(
        _spline(_LOGS[known], np.log(np.maximum(lengths[known], _SMALL))),
        _spline(_LOGS[known], spreads[known]),
        float(_LOGS[infinite].min(initial=math.inf)),
    )


def _table(activation: Activation, panels: Panels) -> tuple[Array, Array]:
    """Return E[f^2] and r at N(0, q) for each log q of the table; the function is called once."""
    sds = np.exp(_LOGS / 2)
    edges = [_edges(panels, sd) for sd in sds]
    nodes = [points(each) for each in edges]
    values = activation.value(np.concatenate(nodes))
    parts = np.split(values, np.cumsum([len(each) for each in nodes])[:-1])
    rows = [
        _length_and_spread(x / sd, np.diff(each)[:, None] / sd, part)
        for sd, each, x, part in zip(sds, edges, nodes, parts, strict=True)
    ]
    lengths, spreads = np.array(rows).T
    return lengths, spreads


def _edges(panels: Panels, sd: float) -> Array:
    """Return edges fine enough for the function and for the density of N(0, sd^2)."""
    inside = panels.edges[np.abs(panels.edges) < sd * _GRID[-1]]
    return np.unique(np.concatenate([sd * _GRID, inside]))


def _length_and_spread(z: Array, width: Array, values: Array) -> tuple[float, float]:
    """Return E[f^2] and E[f^4] / E[f^2]^2 - 1; nan where f is, inf where it grows too fast."""
    weights = width / 2 * WEIGHTS * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    with np.errstate(all="ignore"):
        squares = np.sum(weights * values**2, axis=1)
        length = float(np.sum(squares))
        fourths = np.sum(weights * values**2 * (values**2 / length), axis=1) / length
        spread = float(np.sum(fourths)) - 1
    if math.isnan(length) or length < _SMALL:
        return length, 0.0
    if max(squares[0], squares[-1]) > _TAIL * length:
        return math.inf, math.inf
    if max(fourths[0], fourths[-1]) > _TAIL * (spread + 1):
        return length, math.inf
    return length, max(spread, 0.0)


def _spline(x: Array, y: Array) -> Callable[[Array], Array]:
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(x, y)
    ends = x[[0, -1]]
    slopes = spline(ends, 1)

    def value(at: Array) -> Array:
        near = np.clip(at, *ends)
        return spline(near) + np.where(at < near, slopes[0], slopes[1]) * (at - near)

    return value
