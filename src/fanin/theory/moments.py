r"""Moments of an activation and of its derivative under N(0, 1).

Sums over the panels' nodes are integrals. Derivatives are spared where values say as much (Stein):
E[f'] = E[z f(z)], and d/dq E[f(sqrt(q) z)^2] at q = 1 is E[(z^2 - 1) f^2] / 2; both hold for kinks, and for
jumps taken as what they are the limit of.

References:
    Stein (1981), Estimation of the mean of a multivariate normal distribution, lemma 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fanin.errors import FaninError
from fanin.theory.activation import Activation, Array
from fanin.theory.panels import Panels

_TAIL = 1e-12  # share of an integral that its outermost panels may have
_SAME, _ALIKE = 1e-9, 1e-6  # relative differences of what autodiff and the values say


@dataclass(frozen=True)
class Moments:
    """Moments of f and f' under N(0, 1).

    Args:
        mean: E[f].
        second: E[f^2].
        variance: Var f.
        derivative_mean: E[f'].
        derivative_second: E[f'^2]; infinite where f jumps, None where it is unknown.
        length_slope: Derivative of q -> E[f(sqrt(q) z)^2] at q = 1.
        notes: What to know about them.
    """

    mean: float
    second: float
    variance: float
    derivative_mean: float
    derivative_second: float | None
    length_slope: float
    notes: tuple[str, ...]


def moments(activation: Activation, panels: Panels) -> Moments:
    """Return an activation's moments.

    Args:
        activation: The function, with its derivative if somebody knows it.
        panels: The function on panels.

    Raises:
        FaninError: Its second moment is infinite, or 0.

    Example:
        >>> from fanin.theory.names import named
        >>> from fanin.theory.panels import resolve
        >>> found = moments(named("relu"), resolve(named("relu")))
        >>> round(found.second, 12), round(found.derivative_second, 12)
        (0.5, 0.5)
    """
    z, values = panels.nodes, panels.values
    weights = normal_weights(panels)
    second = _second(activation, panels, weights)
    mean = float(np.sum(weights * values))
    squares = (values * np.sqrt(weights)) ** 2
    derivative, notes = _derivative_second(activation, panels, weights)
    return Moments(
        mean=mean,
        second=second,
        variance=_variance(values - mean, weights, second, activation.eps),
        derivative_mean=float(np.sum(weights * z * values)),
        derivative_second=derivative,
        length_slope=float(np.sum((z * z - 1) * squares) / 2),
        notes=(*notes, *_digits(activation, panels)),
    )


def normal_weights(panels: Panels) -> Array:
    """Return the nodes' weights for expectations over N(0, 1), (panels, 20)."""
    return panels.weights * np.exp(-(panels.nodes**2) / 2) / math.sqrt(2 * math.pi)


def _second(activation: Activation, panels: Panels, weights: Array) -> float:
    with np.errstate(over="ignore"):
        shares = np.sum((panels.values * np.sqrt(weights)) ** 2, axis=1)
    total = float(np.sum(shares))
    if shares[[0, 1, -2, -1]].max() > _TAIL * total or not math.isfinite(total):
        raise FaninError(
            f"{activation.name} grows too fast: E[f^2] is infinite for normal inputs.",
            expected="a function that grows slower than exp(x^2 / 4)",
        )
    if _at_singularity(shares, panels) > 1e-9 * total:
        where = _shown(panels.singular or tuple(panels.edges[:-1][panels.graded][:1]))
        raise FaninError(f"{activation.name} has a pole at x = {where}: E[f^2] is infinite or unknown.")
    if total == 0:
        raise FaninError(
            f"{activation.name} is 0 for every input.", expected="a function that lets signals through"
        )
    return total


def _variance(centred: Array, weights: Array, second: float, eps: float) -> float:
    variance = float(np.sum((centred * np.sqrt(weights)) ** 2))
    return variance if variance > (8 * eps) ** 2 * second else 0.0  # rounding of a constant is none


def _at_singularity(shares: Array, panels: Panels) -> float:
    """Return what the narrowest panel has of an integral, where panels get ever narrower."""
    graded = np.flatnonzero(panels.graded)
    if not len(graded):
        return 0.0
    width = np.diff(panels.edges)[graded]
    return float(shares[graded[width <= 2 * width.min()]].max())


def _derivative_second(
    activation: Activation, panels: Panels, weights: Array
) -> tuple[float | None, tuple[str, ...]]:
    """Return E[f'^2] of the function that the values show, and what is to be said of it."""
    if panels.jumps:
        return math.inf, (f"It jumps at x = {_shown(panels.jumps)}: E[f'^2] is infinite, chi_1 unknown.",)
    roots = np.sqrt(weights)
    shares = np.sum((panels.slopes * roots) ** 2, axis=1)
    total = float(np.sum(shares))
    if panels.singular or _at_singularity(shares, panels) > 1e-11 * total:
        where = _shown(panels.singular) or f"{panels.edges[:-1][panels.graded][0]:.4g}"
        return None, (f"Its slope has no bound near x = {where}: E[f'^2] and chi_1 are unknown.",)
    if activation.derivative is None:
        return total, ()
    told = float(np.sum((activation.derivative(panels.nodes) * roots) ** 2))
    apart = abs(told - total) / max(total, told, math.ulp(0.0))
    if apart <= max(_SAME, 1e3 * panels.error):
        return told, ()
    if apart <= _ALIKE:  # a framework's gradient may be rounded more than its values are
        return total, ()
    size = f"{told:.6g}" if math.isfinite(told) else "not a number"
    note = f"The gradient in {activation.source} is not the slope of the values: with it E[f'^2] is {size}."
    return total, (note,)


def _digits(activation: Activation, panels: Panels) -> tuple[str, ...]:
    digits = math.floor(-math.log10(max(panels.error, activation.eps)))
    return (f"It computes with about {digits} digits, and so do these numbers.",) if digits < 12 else ()


def _shown(places: tuple[float, ...], most: int = 4) -> str:
    inner = sorted(sorted(places, key=abs)[:most])
    text = ", ".join(f"{round(place, 9) + 0.0:.4g}" for place in inner)
    return f"{text}, ... ({len(places)} places)" if len(places) > most else text
