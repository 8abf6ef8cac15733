r"""The variance map of a wide layer, q' = sigma_w^2 E[f(sqrt(q) z)^2] + sigma_b^2, and where it rests.

References:
    Poole et al. (2016), arXiv:1606.05340, eq. 3; Schoenholz et al. (2017), arXiv:1611.01232, eq. 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import numpy as np
from scipy.optimize import fminbound

from fanin.theory.activation import Array
from fanin.theory.meanfield_levels import LOGS, Levels, root

Stability = Literal["stable", "marginal", "half-stable", "unstable"]

_SAME = 1e-11  # relative differences of variances that are the same to rounding
_TOUCHING = 1e-9  # of log q: a network would need that many layers to pass
_MARGIN = 1e-9
_INFINITE = 700.0


@dataclass(frozen=True)
class FixedPoint:
    """A variance that a layer maps to itself.

    Args:
        q: The variance.
        slope: Derivative of the variance map there, by which a layer multiplies small deviations.
        stability: "stable" where deviations shrink, "unstable" where they grow, "half-stable" where they
            shrink on one side and grow on the other, "marginal" where they stay.
    """

    q: float
    slope: float
    stability: Stability


@dataclass(frozen=True, eq=False)
class VarianceMap:
    """What a layer makes of the variance of its pre-activations.

    Args:
        levels: The activation's moments.
        weight: sigma_w^2, variance of the weights times fan_in.
        bias: sigma_b^2, variance of the biases.
    """

    levels: Levels
    weight: float
    bias: float

    def at(self, q: float) -> float:
        """Return the next layer's variance."""
        return self.weight * self.levels.at(q).second + self.bias

    def slope(self, q: float) -> float:
        """Return the derivative at q."""
        return self.weight * self.levels.at(q).slope

    @cached_property
    def growth(self) -> Array:
        """Log of the factor by which each variance of `LOGS` grows in a layer."""
        with np.errstate(divide="ignore"):
            variances = self.weight * np.exp(np.minimum(self.levels.log_seconds, _INFINITE)) + self.bias
            return np.clip(np.log(variances), -_INFINITE, _INFINITE) - LOGS

    @cached_property
    def fixed_points(self) -> tuple[FixedPoint, ...]:
        """The variances that stay, in increasing order, 0 too; none of a whole range that stays."""
        found = [self._classified(q) for q in self._roots()]
        return (*self._zero(), *found)

    def rest(self, start: float = 1.0) -> float:
        """Return where the variance comes to rest: a fixed point, 0, or infinity.

        Args:
            start: The variance that it starts from.
        """
        growth = self._growth(math.log(start))
        if abs(growth) <= _SAME:
            return next(
                (point.q for point in self.fixed_points if math.isclose(point.q, start, rel_tol=1e-6)), start
            )
        if growth > 0:
            return min((point.q for point in self.fixed_points if point.q > start), default=math.inf)
        return max((point.q for point in self.fixed_points if point.q < start), default=0.0)

    def _growth(self, log: float) -> float:
        value = self.at(math.exp(log))
        if value <= 0:
            return -_INFINITE
        return min(math.log(value) - log, _INFINITE) if math.isfinite(value) else _INFINITE

    def _roots(self) -> Iterator[float]:
        """Yield the fixed points above 0."""
        growth = np.where(np.abs(self.growth) <= _SAME, 0.0, self.growth)
        for i in range(len(LOGS) - 1):
            if growth[i] * growth[i + 1] < 0 or (growth[i] == 0 and self._alone(growth, i)):
                yield from self._between(growth, i)
            elif i > 0 and growth[i] and abs(growth[i]) <= min(abs(growth[i - 1]), abs(growth[i + 1])):
                yield from self._touching(i, growth[i - 1 : i + 2])

    @staticmethod
    def _alone(growth: Array, i: int) -> bool:
        return i > 0 and growth[i - 1] != 0 and growth[i + 1] != 0

    def _between(self, growth: Array, i: int) -> Iterator[float]:
        if growth[i] == 0:
            yield math.exp(LOGS[i])
        else:
            yield math.exp(root(self._growth, LOGS[i], LOGS[i + 1]))

    def _touching(self, i: int, near: Array) -> Iterator[float]:
        """Yield the fixed points where growth comes close to 0 without a change of sign on the grid."""
        if near[0] * near[1] <= 0 or near[1] * near[2] <= 0 or abs(near[1]) > 0.1:
            return
        sign = math.copysign(1.0, near[1])
        low, high = LOGS[i - 1], LOGS[i + 1]
        least = cast(float, fminbound(lambda log: sign * self._growth(log), low, high, xtol=1e-10))
        distance = sign * self._growth(least)
        if distance < -_TOUCHING:
            yield from (math.exp(root(self._growth, *ends)) for ends in ((low, least), (least, high)))
        elif distance <= _TOUCHING:
            yield math.exp(least)

    def _classified(self, q: float) -> FixedPoint:
        slope = self.slope(q)
        if abs(abs(slope) - 1) > _MARGIN * 100:
            return FixedPoint(q, slope, "stable" if abs(slope) < 1 else "unstable")
        below, above = (self._growth(math.log(q) + step) for step in (-1e-2, 1e-2))
        if abs(below) <= _SAME or abs(above) <= _SAME:
            return FixedPoint(q, slope, "marginal")
        if below * above > 0:
            return FixedPoint(q, slope, "half-stable")
        return FixedPoint(q, slope, "stable" if below > 0 else "unstable")

    def _zero(self) -> Iterator[FixedPoint]:
        """Yield 0 where no signal is a fixed point."""
        least = self.levels.table[0]
        if self.bias or self.weight * least.second > 1e-4 * math.exp(LOGS[0] / 2):
            return
        q = math.exp(LOGS[0])  # a kink at 0 bends the slope by sqrt(q)
        slope = self.weight * (2 * least.second - self.levels.at(4 * q).second / 4) / q
        if abs(slope - 1) <= _MARGIN:
            shrinks = self.growth[LOGS < 0].max() < -_SAME
            yield FixedPoint(0.0, slope, "stable" if shrinks else "marginal")
        else:
            yield FixedPoint(0.0, slope, "stable" if slope < 1 else "unstable")
