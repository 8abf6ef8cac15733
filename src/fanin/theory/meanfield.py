"""Mean field theory of deep fully connected networks: what depth does to signals and to gradients."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from fanin.errors import FaninError
from fanin.report.gain.record import finite
from fanin.report.phase.record import MEAN_FIELD_SCHEMA, CurveRecord, MeanFieldRecord
from fanin.theory.activation import Activation
from fanin.theory.correlation import PairMoments, pair_moments
from fanin.theory.meanfield_levels import LOGS, levels_of
from fanin.theory.meanfield_map import FixedPoint, VarianceMap

if TYPE_CHECKING:
    import altair as alt
    from rich.console import RenderableType

Phase = Literal["ordered", "critical", "chaotic", "vanishing", "unbounded", "unknown"]

MARGIN = 1e-9
"""How far from 1 chi_1 may be at a critical point."""
DEPTHS = 6.0
"""Networks train to about so many correlation lengths (Schoenholz et al. 2017, section 5)."""
_SAME = 1 - 1e-9  # a correlation that is 1
_ROUNDING = 1e-14
_DRAWN = 0.5  # width of panels that is fine enough for a picture
_INEXACT = 1e-9


@dataclass(frozen=True)
class MeanField:
    r"""Wide fully connected layers, weights from N(0, sigma_w^2 / fan_in), biases from N(0, sigma_b^2).

    From layer to layer the variance of the pre-activations goes by the variance map, the correlation of two
    inputs at the variance q by the correlation map, and the gradient's second moment, backwards, by chi_1:

        q' = sigma_w^2 E[f(sqrt(q) z)^2] + sigma_b^2
        c' = (sigma_w^2 E[f(x) f(y)] + sigma_b^2) / q,  x, y from N(0, q) with correlation c
        g  = chi_1 g',  chi_1 = sigma_w^2 E[f'(sqrt(q) z)^2], the slope of the correlation map at c = 1

    Args:
        name: The activation's name.
        weight_variance: sigma_w^2, variance of the weights times fan_in.
        bias_variance: sigma_b^2, variance of the biases.
        phase: "ordered" where all inputs become alike and gradients vanish (chi_1 < 1), "chaotic" where
            close inputs part and gradients explode (chi_1 > 1), "critical" between them; "vanishing" where q
            goes to 0, "unbounded" where it grows without end, "unknown" where chi_1 is.
        q: Where the variance comes to rest from 1; 0 and infinity are such places.
        slope: Slope of the variance map at q.
        chi_1: The gradient's factor; infinite where f jumps, None where it is unknown.
        c: Correlation that two inputs with a correlation of 0 to 1 come to; None where there is none.
        chi_c: Slope of the correlation map there.
        xi_q: Layers in which a deviation of the variance shrinks e-fold, -1 / log(abs(slope)).
        xi_c: Layers in which a deviation of the correlation shrinks e-fold, -1 / log(chi_c); infinite at
            criticality.
        xi_gradient: Layers in which the gradient's second moment shrinks e-fold, -1 / log(chi_1); negative
            where it grows.
        trainable_depth: 6 xi_c.
        fixed_points: Every variance that stays.
        notes: What else to know.

    Example:
        >>> from fanin import mean_field
        >>> found = mean_field("tanh", 2.0, 0.05)
        >>> found.phase, round(found.c, 4), round(found.xi_c, 2)
        ('chaotic', 0.7441, 25.21)

    References:
        Poole et al. (2016), arXiv:1606.05340, eq. 3 to 7; Schoenholz et al. (2017), arXiv:1611.01232, eq. 4
        to 10 and section 5.
    """

    name: str
    weight_variance: float
    bias_variance: float
    phase: Phase
    q: float
    slope: float
    chi_1: float | None
    c: float | None
    chi_c: float | None
    xi_q: float | None
    xi_c: float | None
    xi_gradient: float | None
    trainable_depth: float | None
    fixed_points: tuple[FixedPoint, ...]
    variance_map: tuple[tuple[float, float], ...] = field(repr=False)
    correlation_map: tuple[tuple[float, float], ...] | None = field(repr=False)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> MeanFieldRecord:
        """Return it as plain data for JSON (see docs/json.md); what is infinite or unknown is None."""
        return {
            "schema": MEAN_FIELD_SCHEMA,
            "name": self.name,
            "weight_variance": self.weight_variance,
            "bias_variance": self.bias_variance,
            "phase": self.phase,
            "q": finite(self.q),
            "slope": finite(self.slope),
            "chi_1": finite(self.chi_1),
            "c": self.c,
            "chi_c": finite(self.chi_c),
            "xi_q": finite(self.xi_q),
            "xi_c": finite(self.xi_c),
            "xi_gradient": finite(self.xi_gradient),
            "trainable_depth": finite(self.trainable_depth),
            "fixed_points": [
                {"q": point.q, "slope": point.slope, "stability": point.stability}
                for point in self.fixed_points
            ],
            "variance_map": _curve(self.variance_map),
            "correlation_map": None if self.correlation_map is None else _curve(self.correlation_map),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_html(self, path: str | Path) -> Path:
        """Write it as a page that needs no network, and return its path.

        Args:
            path: The file.

        Raises:
            FaninError: The file cannot be written.
        """
        from fanin.report.phase import html

        return html.write(path, html.mean_field_page(self.to_dict()))

    def plot(self) -> alt.HConcatChart:
        """Return both maps with their fixed points, as an Altair chart."""
        from fanin.report.phase import maps

        return maps.chart(self.to_dict())

    def __rich__(self) -> RenderableType:
        from fanin.report.phase import text

        return text.render(self.to_dict())

    def _repr_html_(self) -> str:
        from fanin.report.phase import html

        return html.fragment(self.to_dict())

    def __str__(self) -> str:
        from fanin.report.phase import text

        return text.plain_text(self.to_dict())


def mean_field_of(activation: Activation, weight: float, bias: float) -> MeanField:
    """Return the mean field theory of an activation.

    Args:
        activation: The function.
        weight: sigma_w^2.
        bias: sigma_b^2.

    Raises:
        FaninError: A variance is none, or the function cannot be followed.
    """
    check_variance("weight_variance", weight, positive=True)
    check_variance("bias_variance", bias)
    levels = levels_of(activation)
    variances = VarianceMap(levels, float(weight), float(bias))
    q = variances.rest()
    inside = min(max(q, math.exp(LOGS[0])), math.exp(LOGS[-1]))
    derivative = levels.at(inside).derivative_second
    chi_1 = None if derivative is None else weight * derivative
    limit = q == 0 or math.isinf(q)
    correlations = None if limit else CorrelationMap(variances, q, pair_moments(activation, levels.panels, q))
    c, chi_c = (None, None) if correlations is None or chi_1 is None else correlations.rest(chi_1)
    slope = variances.slope(inside)
    xi_c = None if chi_c is None else scale(chi_c)
    return MeanField(
        name=activation.name,
        weight_variance=float(weight),
        bias_variance=float(bias),
        phase=_phase(q, chi_1),
        q=q,
        slope=slope,
        chi_1=chi_1,
        c=c,
        chi_c=chi_c,
        xi_q=None if limit else scale(abs(slope)),
        xi_c=xi_c,
        xi_gradient=None if chi_1 is None else scale(chi_1),
        trainable_depth=None if xi_c is None else DEPTHS * xi_c,
        fixed_points=variances.fixed_points,
        variance_map=_drawn_variances(variances, q),
        correlation_map=None if correlations is None else correlations.drawn(),
        notes=(*_notes(variances, q), *_digits(correlations)),
    )


@dataclass(frozen=True, eq=False)
class CorrelationMap:
    """What a layer makes of the correlation of two inputs whose pre-activations have the variance q.

    Args:
        variances: The variance map.
        q: A fixed point of it.
        pairs: The activation's pair moments.
    """

    variances: VarianceMap
    q: float
    pairs: PairMoments

    def at(self, c: float) -> tuple[float, float]:
        """Return the next layer's correlation and the slope, for -1 < c < 1."""
        moment, slope = self.pairs.at(self.q, c)
        weight, bias = self.variances.weight, self.variances.bias
        return (weight * float(moment) + bias) / self.q, weight * float(slope) / self.q

    def rest(self, chi_1: float) -> tuple[float, float]:
        """Return the fixed point that correlations from 0 to 1 come to, and the slope there.

        The map is a power series of c with coefficients that are not negative, so it is convex: below the
        fixed point 1 there is another one where its slope at 1 is above 1. Newton's method finds it from 0.

        Args:
            chi_1: The slope at 1.
        """
        if chi_1 <= 1 + MARGIN:
            return 1.0, chi_1
        c = 0.0
        for _ in range(100):
            value, slope = self.at(c)
            step = max(value - c, 0.0) / (1 - slope) if slope < 1 else math.inf
            c += step
            if c >= _SAME:
                return 1.0, chi_1
            if step <= 1e-15:
                break
        return c, self.at(c)[1]

    def drawn(self) -> tuple[tuple[float, float], ...]:
        """Return the map on a grid of correlations."""
        pairs = replace(self.pairs, step=max(self.pairs.step, _DRAWN))
        inside = np.cos(np.linspace(0, math.pi, 37))[1:-1][::-1]
        end = (self.variances.weight * self.variances.levels.at(self.q).second + self.variances.bias) / self.q
        moments, _ = pairs.at(self.q, inside)
        values = (self.variances.weight * moments + self.variances.bias) / self.q
        return (*zip(map(float, inside), map(float, values), strict=True), (1.0, end))


def check_variance(name: str, value: object, *, positive: bool = False) -> None:
    """Raise a `FaninError` for what is no variance."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
        raise FaninError(f"{name} is {value!r}.", expected="a finite number, 0 or more")
    if positive and value == 0:
        raise FaninError(f"{name} is 0: nothing gets through.", expected="a number above 0")


def scale(factor: float) -> float:
    """Return the layers in which what a layer multiplies by a factor shrinks e-fold; negative where it grows.

    Example:
        >>> round(scale(0.5), 4), scale(1.0), scale(0.0), round(scale(2.0), 4)
        (1.4427, inf, 0.0, -1.4427)
    """
    if factor <= _ROUNDING or math.isinf(factor):
        return 0.0
    return math.inf if abs(factor - 1) <= MARGIN else -1 / math.log(factor)


def _phase(q: float, chi_1: float | None) -> Phase:
    if math.isinf(q):
        return "unbounded"
    if chi_1 is not None and abs(chi_1 - 1) <= MARGIN:
        return "critical"
    if q == 0:
        return "vanishing"
    if chi_1 is None:
        return "unknown"
    return "ordered" if chi_1 < 1 else "chaotic"


def _notes(variances: VarianceMap, q: float) -> list[str]:
    notes = []
    if q == 0 and abs(variances.fixed_points[0].slope - 1) <= MARGIN:
        notes.append("The variance goes to 0, but slower than any exponential.")
    if (
        q == 1.0
        and abs(variances.at(1.0) - 1) < 1e-11
        and all(point.q != 1.0 for point in variances.fixed_points)
    ):
        notes.append("Every variance near 1 stays as it is.")
    stable = [point for point in variances.fixed_points if point.stability == "stable" and point.q != q]
    if stable and 0 < q < math.inf:
        notes.append("Where a network comes to rest depends on where it starts: here from q = 1.")
    if any(point.q == q and point.slope < -1 for point in variances.fixed_points):
        notes.append("The variance does not rest there: it swings about q with a growing amplitude.")
    here = next((point.stability for point in variances.fixed_points if point.q == q), "")
    if here == "half-stable":
        notes.append("It is reached from one side only; deviations to the other side grow.")
    if here == "unstable":
        notes.append("The variance stays there only while nothing disturbs it: deviations grow.")
    return notes


def _digits(correlations: CorrelationMap | None) -> Iterator[str]:
    if correlations is not None and correlations.pairs.error > _INEXACT:
        digits = max(math.floor(-math.log10(correlations.pairs.error)), 1)
        yield f"At this variance correlations are known to about {digits} digit{'s' if digits > 1 else ''}."


def _drawn_variances(variances: VarianceMap, q: float) -> tuple[tuple[float, float], ...]:
    top = 2.0 * max(
        [point.q for point in variances.fixed_points if point.q < 1e3] + [1.0 if math.isinf(q) else q, 0.05]
    )
    grid = np.linspace(0, top, 61)[1:]
    return tuple((float(x), variances.at(float(x))) for x in grid)


def _curve(points: tuple[tuple[float, float], ...]) -> CurveRecord:
    return {"x": [x for x, _ in points], "y": [finite(y) for _, y in points]}
