"""The gain of an activation, and whether a deep network stays where the gain puts it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from fanin.errors import FaninError
from fanin.report.gain.record import SCHEMA, GainRecord, finite
from fanin.theory.activation import Activation
from fanin.theory.drift import Drift, drift
from fanin.theory.lengthmap import length_map
from fanin.theory.moments import Moments, moments
from fanin.theory.panels import Panels, resolve

if TYPE_CHECKING:
    from rich.console import RenderableType

Stability = Literal["stable", "marginal", "unstable"]
_MARGIN = 1e-9


@dataclass(frozen=True)
class Gain:
    r"""The gain of an activation f, for pre-activations z ~ N(0, 1).

    Weights of variance gain^2 / fan_in keep the second moment q of the pre-activations at 1: q = 1 is a
    fixed point of the length map V(q) = gain^2 E[f(sqrt(q) z)^2]. Whether signals stay there is told by the
    slope V'(1).

    Args:
        name: The activation's name.
        mean: E[f].
        second_moment: E[f^2].
        variance: Var f.
        derivative_mean: E[f'].
        derivative_second_moment: E[f'^2]; infinite where f jumps, None where it is unknown.
        gain: 1 / sqrt(E[f^2]).
        variance_gain: 1 / sqrt(Var f), which keeps the variance; None where f is constant.
        chi_1: gain^2 E[f'^2], by which a layer multiplies the gradient's second moment and the squared
            distance of two close inputs; None where it is unknown.
        slope: V'(1), by which a layer multiplies a small deviation from q = 1.
        stability: "stable" where abs(slope) < 1, "marginal" where it is 1, else "unstable".
        kinks: Where the derivative jumps.
        jumps: Where f jumps.
        drift: How q develops with depth.
        source: Where the derivative comes from: "closed form", "torch", "jax" or "numerical".
        notes: What else to know.

    Example:
        >>> from fanin import gain
        >>> round(gain("gelu").gain, 6), gain("gelu").stability, gain("tanh").stability
        (1.53353, 'unstable', 'stable')

    References:
        He et al. (2015), arXiv:1502.01852, eq. 10 (gain of ReLU); Poole et al. (2016), arXiv:1606.05340,
        eq. 3 to 5 (length map); Schoenholz et al. (2017), arXiv:1611.01232, eq. 5 (chi_1).
    """

    name: str
    mean: float
    second_moment: float
    variance: float
    derivative_mean: float
    derivative_second_moment: float | None
    gain: float
    variance_gain: float | None
    chi_1: float | None
    slope: float
    stability: Stability
    kinks: tuple[float, ...]
    jumps: tuple[float, ...]
    drift: Drift = field(repr=False)
    source: str = "numerical"
    notes: tuple[str, ...] = ()

    def __float__(self) -> float:
        return self.gain

    def to_dict(self) -> GainRecord:
        """Return it as plain data for JSON (see docs/json.md); what is infinite or unknown is None."""
        path = self.drift
        return {
            "schema": SCHEMA,
            "name": self.name,
            "mean": self.mean,
            "second_moment": self.second_moment,
            "variance": self.variance,
            "derivative_mean": self.derivative_mean,
            "derivative_second_moment": finite(self.derivative_second_moment),
            "gain": self.gain,
            "variance_gain": self.variance_gain,
            "chi_1": self.chi_1,
            "slope": self.slope,
            "stability": self.stability,
            "kinks": list(self.kinks),
            "jumps": list(self.jumps),
            "drift": {
                "depth": path.depth,
                "width": path.width,
                "low": [finite(q) for q in path.low],
                "middle": [finite(q) for q in path.middle],
                "high": [finite(q) for q in path.high],
            },
            "source": self.source,
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def __rich__(self) -> RenderableType:
        from fanin.report.gain import text

        return text.render(self.to_dict())

    def _repr_html_(self) -> str:
        from fanin.report.gain import html

        return html.fragment(self.to_dict())

    def __str__(self) -> str:
        from fanin.report.gain import text

        return text.plain_text(self.to_dict())


def gain_of(activation: Activation, *, depth: int = 50, width: int | None = 1024) -> Gain:
    """Return the gain of an activation.

    Args:
        activation: The function.
        depth: Layers over which the second moment's drift is followed.
        width: Units a layer for the drift; None for infinitely many.

    Raises:
        FaninError: The function has no gain, or a number is no count.
    """
    _check_count("depth", depth, 10_000)
    if width is not None:
        _check_count("width", width)
    with np.errstate(all="ignore"):  # overflow far out is told by what comes of it
        panels = resolve(activation)
        found = moments(activation, panels)
        gain = 1 / math.sqrt(found.second)
        path = drift(length_map(activation, panels, gain), depth, width)
    return _result(activation, panels, found, gain, path)


def _result(activation: Activation, panels: Panels, found: Moments, gain: float, path: Drift) -> Gain:
    derivative, slope = found.derivative_second, gain**2 * found.length_slope
    return Gain(
        name=activation.name,
        mean=found.mean,
        second_moment=found.second,
        variance=found.variance,
        derivative_mean=found.derivative_mean,
        derivative_second_moment=derivative,
        gain=gain,
        variance_gain=1 / math.sqrt(found.variance) if found.variance else None,
        chi_1=None if derivative is None or math.isinf(derivative) else gain**2 * derivative,
        slope=slope,
        stability=_stability(slope, max(_MARGIN, 10 * panels.error)),
        kinks=panels.kinks,
        jumps=panels.jumps,
        drift=path,
        source=activation.source,
        notes=found.notes,
    )


def _stability(slope: float, margin: float) -> Stability:
    if abs(abs(slope) - 1) <= margin:
        return "marginal"
    return "stable" if abs(slope) < 1 else "unstable"


def _check_count(name: str, value: object, most: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise FaninError(f"{name} is {value!r}.", expected="a positive whole number")
    if most is not None and value > most:
        raise FaninError(f"{name} is {value}.", expected=f"at most {most}")
