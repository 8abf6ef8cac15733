"""Mean field theory on a grid of variances: what a phase diagram shows, to about four digits.

Fixed points of the variance are found on the grid of log q and refined between its points on a spline. Pair
moments E[f(x) f(y)] depend on (q, c) alone, and smoothly on log q and the angle arccos c, kinks or not (for
ReLU they are sines): a table of some hundreds serves every point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline, RectBivariateSpline

from fanin.theory.activation import Array
from fanin.theory.correlation import pair_moments
from fanin.theory.meanfield import MARGIN
from fanin.theory.meanfield_levels import LOGS, Levels

ORDERED, CHAOTIC, VANISHING, UNBOUNDED = range(4)
_VARIANCES, _ANGLES = 24, 24  # of the table
_CLOSEST = 0.003  # radians
_STEPS = 60
_STEP = 0.5  # finer panels than a picture needs would take minutes


class Grid(NamedTuple):
    """Tables with a row for each variance of the biases, a column for each of the weights; nan: unknown."""

    phase: np.ndarray
    q: Array
    chi_1: Array
    c: Array
    xi_q: Array
    xi_c: Array


def phase_grid(levels: Levels, weights: Array, biases: Array) -> Grid:
    """Return mean field theory on a grid.

    Args:
        levels: The activation's moments.
        weights: Variances of the weights, (columns,).
        biases: Variances of the biases, (rows,).
    """
    weight, bias = np.meshgrid(weights, biases)
    with np.errstate(all="ignore"):
        log_q = _rest(levels, weight, bias)
        derivative = np.array(
            [math.nan if (d := row.derivative_second) is None else d for row in levels.table]
        )
        inside = np.clip(log_q, LOGS[0], LOGS[-1])
        chi_1 = weight * np.exp(_spline(np.log(derivative))(inside))
        ends = ~np.isfinite(log_q)
        chaotic = ~ends & ~(chi_1 <= 1 + MARGIN)
        c = np.where(ends, math.nan, 1.0)
        chi_c = np.where(ends, math.nan, chi_1)
        if chaotic.any():
            c[chaotic], chi_c[chaotic] = _chaotic(levels, log_q[chaotic], weight[chaotic], chi_1[chaotic])
        slope = weight * _slopes(levels, inside)
        phase = np.where(chaotic, CHAOTIC, np.where(ends, np.where(log_q > 0, UNBOUNDED, VANISHING), ORDERED))
        scales = [-1 / np.log(np.abs(factor)) for factor in (np.where(ends, math.nan, slope), chi_c)]
    return Grid(phase, np.exp(log_q), chi_1, c, *scales)


def _rest(levels: Levels, weight: Array, bias: Array) -> Array:
    """Return log q where the variance comes to rest from 1: -inf where it vanishes, inf without end."""
    seconds = np.exp(np.clip(levels.log_seconds, -700, 700))
    growth = np.log(weight[..., None] * seconds + bias[..., None]) - LOGS
    growth = np.where(np.abs(growth) < 1e-11, 0.0, growth)
    start = int(np.argmin(np.abs(LOGS)))
    up = growth[..., start] > 0
    above = np.argmax(growth[..., start:] <= 0, axis=-1)
    below = np.argmax(growth[..., start::-1] >= 0, axis=-1)
    found = np.where(up, above, below)
    low = np.where(up, start + above - 1, start - below)
    rest = _bisected(
        levels, weight, bias, LOGS[np.clip(low, 0, len(LOGS) - 2)], LOGS[np.clip(low + 1, 1, len(LOGS) - 1)]
    )
    rest = np.where(growth[..., start] == 0, 0.0, rest)
    return np.where((found == 0) & (growth[..., start] != 0), np.where(up, math.inf, -math.inf), rest)


def _bisected(levels: Levels, weight: Array, bias: Array, low: Array, high: Array) -> Array:
    """Return where log q stays, between where it grows and where it shrinks."""
    log_second = _spline(levels.log_seconds)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        grows = np.log(weight * np.exp(log_second(middle)) + bias) > middle
        low, high = np.where(grows, middle, low), np.where(grows, high, middle)
    return (low + high) / 2


def _slopes(levels: Levels, log_q: Array) -> Array:
    return _spline(np.array([level.slope for level in levels.table]))(log_q)


def _spline(values: Array) -> Callable[[Array], Array]:
    """Return a function of log q from its values at `LOGS`, as far as they are finite."""
    known = np.isfinite(values)
    if known.sum() < 2:
        return lambda log_q: np.full(np.shape(log_q), values[len(values) // 2])
    spline = CubicSpline(LOGS[known], values[known])
    return lambda log_q: spline(np.clip(log_q, *LOGS[known][[0, -1]]))


def _chaotic(levels: Levels, log_q: Array, weight: Array, chi_1: Array) -> tuple[Array, Array]:
    """Return the correlation's fixed point below 1 and the slope there.

    With q = sigma_w^2 V + sigma_b^2 it is where sigma_w^2 (V - E[f(x) f(y)]) / (1 - c) = q. The map is convex
    in c, so the left side falls with the angle.
    """
    chord, slope = _pair_table(levels, log_q)
    q = np.exp(log_q)
    low, high = np.full_like(q, _CLOSEST), np.full_like(q, math.pi / 2)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        parts = weight * chord(log_q, middle) > q
        low, high = np.where(parts, middle, low), np.where(parts, high, middle)
    angle = (low + high) / 2
    # Closer than the table goes the map is its parabola at 1, whose other root has the slope 2 - chi_1.
    close = angle <= 1.01 * _CLOSEST
    return np.where(close, 1.0, np.cos(angle)), np.where(close, 2 - chi_1, weight * slope(log_q, angle) / q)


Table = Callable[[Array, Array], Array]


def _pair_table(levels: Levels, log_q: Array) -> tuple[Table, Table]:
    """Return (V - E[f(x) f(y)]) / (1 - c) and the slope of E[f(x) f(y)], of log q and the angle."""
    low, high = float(log_q.min()), float(log_q.max())
    logs = np.linspace(low - 1e-3, high + 1e-3, _VARIANCES)
    angles = np.linspace(_CLOSEST, math.pi / 2, _ANGLES)
    fine = pair_moments(levels.activation, levels.panels, math.exp(high))
    pairs = replace(fine, step=max(fine.step, _STEP))
    moments, slopes = pairs.at(np.exp(logs)[:, None], np.cos(angles))
    seconds = np.array([levels.at(math.exp(log)).second for log in logs])
    chords = (seconds[:, None] - moments) / (1 - np.cos(angles))
    # Where f jumps both go to infinity at the angle 0, as 1 / sin.
    rise = np.sin if levels.panels.jumps else np.ones_like
    chord, slope = (_surface(logs, angles, values, rise) for values in (chords, slopes))
    return chord, slope


def _surface(logs: Array, angles: Array, values: Array, rise: Callable[[Array], Array]) -> Table:
    spline = RectBivariateSpline(logs, angles, values * rise(angles))
    return lambda log_q, angle: spline.ev(log_q, angle) / rise(angle)
