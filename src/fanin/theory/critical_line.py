r"""The critical line of an activation: all variances for which chi_1 = 1 where signals come to rest.

At each q it has one point, sigma_w^2 = 1 / E[f'(sqrt(q) z)^2] and
sigma_b^2 = q - sigma_w^2 E[f(sqrt(q) z)^2], which is realisable where that is no negative variance.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fanin.errors import FaninError
from fanin.report.phase.record import LINE_SCHEMA, CriticalPointRecord, LineRecord
from fanin.theory.activation import Activation, Array
from fanin.theory.meanfield import check_variance
from fanin.theory.meanfield_levels import LOGS, Levels, levels_of, root
from fanin.theory.meanfield_map import Stability

if TYPE_CHECKING:
    from rich.console import RenderableType

_ROUNDING = 1e-11
_MARGIN = 1e-7
_ROUND = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_LARGEST = 1e6  # sigma_w^2 that anybody would call realisable


@dataclass(frozen=True)
class CriticalPoint:
    """A point of the critical line.

    Args:
        q: Variance of the pre-activations; 0 is the limit of small ones.
        weight_variance: sigma_w^2, variance of the weights times fan_in.
        bias_variance: sigma_b^2.
        slope: Slope of the variance map at q.
        stability: Whether variances near q come to rest there: "stable", "unstable", or "half-stable" and
            "marginal" where the slope is 1.
    """

    q: float
    weight_variance: float
    bias_variance: float
    slope: float
    stability: Stability

    @property
    def gain(self) -> float:
        """sigma_w, the critical gain."""
        return math.sqrt(self.weight_variance)


@dataclass(frozen=True)
class CriticalLine:
    """The critical line of an activation, chi_1 = 1: gradients stay, and close inputs keep their distance.

    Args:
        name: The activation's name.
        points: Realisable points in the order of q.
        without_bias: Those with sigma_b^2 = 0: critical gains.
        half_stable: Those where the slope of the variance map is 1 too, and the line gets stable or unstable.
        notes: What else to know.

    Example:
        >>> from fanin import critical_line
        >>> line = critical_line("tanh")
        >>> [round(point.weight_variance, 10) for point in line.at(0.05)]
        [1.7609546396]
        >>> critical_line("softplus").points
        ()

    References:
        Poole et al. (2016), arXiv:1606.05340, eq. 7; Roberts, Yaida, Hanin (2021), arXiv:2106.10165, section
        5.3.4 (half-stable points).
    """

    name: str
    points: tuple[CriticalPoint, ...] = field(repr=False)
    without_bias: tuple[CriticalPoint, ...]
    half_stable: tuple[CriticalPoint, ...]
    notes: tuple[str, ...] = ()
    _curve: _Curve | None = field(default=None, repr=False, compare=False)

    def at(self, bias_variance: float) -> tuple[CriticalPoint, ...]:
        """Return the points of the line with this variance of the biases, in the order of q.

        Args:
            bias_variance: sigma_b^2.
        """
        check_variance("bias_variance", bias_variance)
        return () if self._curve is None else self._curve.at(float(bias_variance))

    def to_dict(self) -> LineRecord:
        """Return it as plain data for JSON (see docs/json.md)."""
        return {
            "schema": LINE_SCHEMA,
            "name": self.name,
            "points": [_record(point) for point in self.points],
            "without_bias": [_record(point) for point in self.without_bias],
            "half_stable": [_record(point) for point in self.half_stable],
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def __rich__(self) -> RenderableType:
        from fanin.report.phase import text

        return text.render_line(self.to_dict())

    def _repr_html_(self) -> str:
        from fanin.report.phase import html

        return html.line_fragment(self.to_dict())

    def __str__(self) -> str:
        from fanin.report.phase import text

        return text.plain_line(self.to_dict())


def critical_line_of(activation: Activation, levels: Levels | None = None) -> CriticalLine:
    """Return the critical line of an activation.

    Args:
        activation: The function.
        levels: Its moments, where somebody has them.

    Raises:
        FaninError: Its derivative has no second moment, or it cannot be followed.
    """
    curve = _Curve(levels or levels_of(activation))
    if not np.all(np.isfinite(curve.weights[curve.known])) or not curve.known.any():
        raise FaninError(f"{activation.name} has no critical line: its derivative has no second moment.")
    points = tuple(curve.point(float(q)) for q in curve.drawn())
    without = curve.at(0.0)
    return CriticalLine(
        name=activation.name,
        points=points,
        without_bias=without,
        half_stable=tuple(curve.half_stable()),
        notes=tuple(_notes(activation.name, points)),
        _curve=curve,
    )


class _Curve:
    """The line as a function of q, on the variances of `LOGS` and between them."""

    def __init__(self, levels: Levels) -> None:
        self.levels = levels
        table = [self._raw(math.exp(log)) for log in LOGS]
        self.weights, self.biases, self.slopes = np.array(table).T
        self.known = np.isfinite(self.biases) & (self.weights > 0)

    def _raw(self, q: float) -> tuple[float, float, float]:
        level = self.levels.at(q)
        derivative = level.derivative_second
        if not derivative or not math.isfinite(derivative * level.second):
            return math.inf if derivative is None or derivative else math.nan, math.nan, math.nan
        weight = 1 / derivative
        bias = q - weight * level.second
        return weight, 0.0 if abs(bias) <= _ROUNDING * q else bias, weight * level.slope

    def point(self, q: float, bias: float | None = None) -> CriticalPoint:
        """Return the point at q; its bias variance may be known better."""
        weight, found, slope = self._raw(q)
        return CriticalPoint(
            q, weight, max(found if bias is None else bias, 0.0), slope, self._stability(q, slope)
        )

    def _stability(self, q: float, slope: float) -> Stability:
        if abs(slope - 1) > _MARGIN:
            return "stable" if abs(slope) < 1 else "unstable"
        around = [self._raw(q * factor)[2] - 1 for factor in (0.9, 1.1)]
        return "marginal" if max(map(abs, around)) <= _MARGIN else "half-stable"

    def drawn(self) -> Array:
        """Return the variances of realisable points: where the line begins and ends, and the grid between."""
        realisable = self.known & (self.biases >= 0) & (self.weights <= _LARGEST)
        even = [q for q in _ROUND if np.interp(math.log(q), LOGS, realisable) == 1]
        grid = [q for q in np.exp(LOGS[realisable]) if not any(math.isclose(q, other) for other in even)]
        return np.unique(np.concatenate([grid, even, list(self._roots(0.0))]))

    def at(self, bias: float) -> tuple[CriticalPoint, ...]:
        """Return the points with this variance of the biases."""
        if bias == 0 and np.all(self.biases[self.known] == 0):
            return (self.point(1.0),)  # so at every q
        found = [self.point(q, bias) for q in self._roots(bias)]
        return (*self._limit(), *found) if bias == 0 else tuple(found)

    def _limit(self) -> Iterator[CriticalPoint]:
        """Yield the limit of small q, where the biases vanish with it."""
        least = math.exp(LOGS[0])
        weight, bias, slope = self._raw(least)
        if weight < _LARGEST and abs(bias) < 1e-4 * least:
            limit = 2 * weight - self._raw(4 * least)[0]  # a kink at 0 bends the line by sqrt(q)
            yield CriticalPoint(0.0, limit, 0.0, slope, self._stability_at_zero())

    def _stability_at_zero(self) -> Stability:
        slope = self._raw(1e-3)[2]
        return "marginal" if abs(slope - 1) <= _MARGIN else "stable" if slope < 1 else "unstable"

    def _roots(self, bias: float) -> Iterator[float]:
        yield from _roots(self.biases - bias, self.known, lambda log: self._raw(math.exp(log))[1] - bias)

    def half_stable(self) -> Iterator[CriticalPoint]:
        """Yield the realisable points where the slope of the variance map passes 1."""
        excess = np.where(np.abs(self.slopes - 1) <= _MARGIN, 0.0, self.slopes - 1)
        for q in _roots(excess, self.known, lambda log: self._raw(math.exp(log))[2] - 1):
            weight, bias, slope = self._raw(q)
            if bias >= 0:
                yield CriticalPoint(q, weight, bias, slope, "half-stable")


def _roots(values: Array, known: np.ndarray, exact: Callable[[float], float]) -> Iterator[float]:
    """Yield the q at which a function of log q changes its sign."""
    for i in range(len(LOGS) - 1):
        if known[i] and known[i + 1] and values[i] * values[i + 1] < 0:
            yield math.exp(root(exact, LOGS[i], LOGS[i + 1]))


def _notes(name: str, points: tuple[CriticalPoint, ...]) -> Iterator[str]:
    if not points:
        needs = "χ₁ = 1 needs biases of a negative variance at every q"
        yield f"{name} has no realisable critical point: {needs}."
        return
    if all(point.bias_variance == 0 for point in points):
        yield "It is one point, without biases, and every variance of the pre-activations stays there."
        return
    first = points[0]
    if first.q > 2 * math.exp(LOGS[0]):
        yield (
            f"It has critical points from q = {first.q:.4g}, σ_w² = {first.weight_variance:.4g} on; for "
            "smaller q χ₁ = 1 needs biases of a negative variance, or weights beyond reason."
        )
    unstable = [point for point in points if point.stability == "unstable"]
    if unstable:
        low, high = unstable[0].q, unstable[-1].q
        where = (
            f"from q = {low:.3g} to {high:.3g}" if low > 2 * math.exp(LOGS[0]) else f"up to q = {high:.3g}"
        )
        yield f"The variance does not rest at the points {where}: the variance map's slope there is above 1."


def _record(point: CriticalPoint) -> CriticalPointRecord:
    return {
        "q": point.q,
        "weight_variance": point.weight_variance,
        "bias_variance": point.bias_variance,
        "slope": point.slope,
        "stability": point.stability,
    }
