r"""Second moments of functions of one normal number, and of their derivatives, to rounding.

    E[f(m + s z)^2],  E[f'(m + s z)^2],  z from N(0, 1)

are sums over panels with edges at the kinks of f.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fanin.errors import FaninError
from fanin.theory.activation import Activation
from fanin.theory.legendre import SLOPE_AT_NODES, WEIGHTS, between
from fanin.theory.panels import resolve
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.root import Normal

_GRID = np.linspace(-13.0, 13.0, 27)  # standard deviations; panels as wide as one follow the density
_NARROW = 1e-11  # between edges that are one but for rounding, slopes are nothing else
_TAIL = 1e-9  # share of an integral that its outermost panels may have
_DIGITS = 12  # to which places are alike


class Squares(NamedTuple):
    """Second moments.

    Args:
        value: E[f^2].
        slope: E[f'^2].
    """

    value: Array
    slope: Array


def second_moments(function: Callable[[Array], Array], normal: Normal) -> Squares | None:
    """Return the second moments of a function of normal numbers and of its derivative.

    Args:
        function: From numbers to values, element by element.
        normal: What they are distributed by.

    Returns:
        Of the shape of the deviations; None where the function is not finite or cannot be followed.

    Example:
        >>> found = second_moments(np.abs, Normal(np.array([0.0, 1.0]), np.array([2.0, 1.0])))
        >>> found.value.round(12).tolist(), found.slope.round(12).tolist()
        ([4.0, 2.0], [1.0, 1.0])
    """
    mean, deviation = normal.mean.ravel(), normal.deviation.ravel()
    alike = np.round([mean / deviation, np.log(deviation)], _DIGITS)
    _, first, same = np.unique(alike, axis=1, return_index=True, return_inverse=True)
    try:
        found = _of_places(function, mean[first], deviation[first])
    except FaninError:
        return None
    if not np.all(np.isfinite(found)):
        return None
    return Squares(*(each[same.ravel()].reshape(normal.deviation.shape) for each in found))


def _of_places(function: Callable[[Array], Array], mean: Array, deviation: Array) -> tuple[Array, Array]:
    """Return E[f^2] and E[f'^2] at each of some places, (places,) each."""
    low, high = _panels(function, mean, deviation)
    z = between(low.ravel(), high.ravel()).reshape(*low.shape, -1)  # (places, panels, 20)
    width = (high - low)[..., None]
    with np.errstate(all="ignore"):
        values = _at(function, mean[:, None, None] + deviation[:, None, None] * z)
        scale = np.divide(2, width, out=np.zeros_like(width), where=width > _NARROW)
        slopes = values @ SLOPE_AT_NODES.T * scale
        weights = width / 2 * WEIGHTS * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return _integral(weights * values**2), _integral(weights * slopes**2) / deviation**2


def _integral(parts: Array) -> Array:
    """Return sums over panels; nan where the outermost ones have a part in it."""
    panels = np.sum(parts, axis=2)
    total = np.sum(panels, axis=1)
    return np.where(np.max(panels[:, [0, -1]], axis=1) <= _TAIL * total, total, np.nan)


def _panels(function: Callable[[Array], Array], mean: Array, deviation: Array) -> tuple[Array, Array]:
    """Return ends of panels in standard deviations, (places, panels), with the edges of the widest place."""
    widest = np.argmax(deviation)
    at, scale = mean[widest], deviation[widest]
    panels = resolve(Activation("a chain", lambda z: _at(function, at + scale * z)))
    edges = (at + scale * panels.edges - mean[:, None]) / deviation[:, None]
    grid = np.broadcast_to(_GRID, (len(mean), len(_GRID)))
    whole = np.sort(np.concatenate([np.clip(edges, *_GRID[[1, -2]]), grid], axis=1), axis=1)
    return whole[:, :-1], whole[:, 1:]


def _at(function: Callable[[Array], Array], x: Array) -> Array:
    """Return a population's function at numbers of any shape."""
    with np.errstate(all="ignore"):
        found = function(x.reshape(-1, 1, 1))
    return np.broadcast_to(np.asarray(found, float), (x.size, 1, 1)).reshape(x.shape)
