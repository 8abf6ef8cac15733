r"""Moments of an activation at any variance of its inputs.

Sums over panels whose edges are the function's own and a grid of standard deviations are integrals to
rounding, as in `moments`; the slope of V(q) = E[f(sqrt(q) z)^2] is E[(z^2 - 1) f^2] / (2 q), whatever kinks f
has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from scipy.optimize import brentq

from fanin.theory.activation import Activation, Array
from fanin.theory.legendre import SLOPE_AT_NODES, WEIGHTS, points
from fanin.theory.panels import Panels, resolve

LOGS = np.concatenate([np.arange(-32, -8, 0.5), np.arange(-8, 8, 0.1), np.arange(8, 32.5, 0.5)])
"""Logarithms of the variances that are looked at; what is below and above them is 0 and infinite."""
_GRID = np.linspace(-14.0, 14.0, 41)  # edges in standard deviations
_TAIL = 1e-6  # share of an integral in its outermost panel, from which on it has no end
_NOTHING, _ORDINARY = 1e-25, 8.0


@dataclass(frozen=True)
class Level:
    """An activation at pre-activations from N(0, q).

    Args:
        mean: E[f].
        second: V = E[f^2]; infinite where f grows too fast.
        slope: dV/dq.
        derivative_second: E[f'^2]; infinite where f jumps, None where it is unknown.
    """

    mean: float
    second: float
    slope: float
    derivative_second: float | None


@dataclass(frozen=True, eq=False)
class Levels:
    """An activation's moments at any variance of its inputs.

    Args:
        activation: The function.
        panels: The function on panels.
    """

    activation: Activation
    panels: Panels

    def at(self, q: float) -> Level:
        """Return the moments at N(0, q), to rounding.

        Args:
            q: The variance, positive.
        """
        sd = math.sqrt(q)
        edges = self._edges(sd)
        x = points(edges)
        z, half = x / sd, np.diff(edges)[:, None] / 2
        weights = half / sd * WEIGHTS * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        with np.errstate(all="ignore"):
            values = self.activation.value(x)
            squares = (values * np.sqrt(weights)) ** 2
            shares = np.sum(squares, axis=1)
            second = float(np.sum(shares))
            tail = max(shares[0], shares[-1])
            if not math.isfinite(second) or tail > max(_TAIL * second, _NOTHING * self._size):
                return Level(math.nan, math.inf, math.inf, math.inf)
            derivative = self._derivative(x, values, half, weights)
        return Level(
            mean=float(np.sum(weights * values)),
            second=second,
            slope=float(np.sum((z * z - 1) * squares)) / (2 * q),
            derivative_second=derivative,
        )

    def _derivative(self, x: Array, values: Array, half: Array, weights: Array) -> float | None:
        if self.panels.jumps:
            return math.inf
        if self.panels.singular:
            return None
        known = self.activation.derivative if self.activation.source == "closed form" else None
        slopes = known(x) if known else values @ SLOPE_AT_NODES.T / half
        return float(np.sum(weights * slopes**2))

    @cached_property
    def _size(self) -> float:
        """Largest f^2 at inputs of an ordinary size."""
        return float(np.max(self.panels.values[np.abs(self.panels.nodes) < _ORDINARY] ** 2))

    def _edges(self, sd: float) -> Array:
        inside = self.panels.edges[np.abs(self.panels.edges) < sd * _GRID[-1]]
        return np.unique(np.concatenate([sd * _GRID, inside]))

    @cached_property
    def table(self) -> tuple[Level, ...]:
        """The moments at the variances of `LOGS`."""
        return tuple(self.at(math.exp(log)) for log in LOGS)

    @cached_property
    def log_seconds(self) -> Array:
        """Log V at the variances of `LOGS`."""
        with np.errstate(divide="ignore"):
            return np.log(np.array([level.second for level in self.table]))


def levels_of(activation: Activation) -> Levels:
    """Return an activation's moments at any variance.

    Args:
        activation: The function.

    Raises:
        FaninError: It is not finite, or cannot be followed.

    Example:
        >>> from fanin.theory.names import named
        >>> found = levels_of(named("relu")).at(3.0)
        >>> round(found.second, 12), round(found.slope, 12), round(found.derivative_second, 12)
        (1.5, 0.5, 0.5)
    """
    with np.errstate(all="ignore"):
        return Levels(activation, resolve(activation))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function changes its sign between two places, to rounding."""
    return cast(float, brentq(function, low, high, xtol=1e-15, rtol=np.float64(1e-15)))
