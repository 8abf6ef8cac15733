r"""Second moments of an activation over two correlated normal numbers: E[f(x) f(y)] and its slope in c.

For x and y from N(0, q) with correlation c >= 0, let x = sqrt(q) (a u + b v) and y = sqrt(q) (a u - b v)
with independent u, v from N(0, 1), a^2 = (1 + c) / 2 and b^2 = (1 - c) / 2. Given v, f(x) f(y) has kinks at
known u; the integral over u is smooth in v but where kinks of f(x) meet kinks of f(y), at known v. So both
integrals are Gauss-Legendre sums over panels between edges, and nothing gets singular as c approaches 1. A
negative c is a positive one of f(x) and f(-y).

The slope is taken from the density, which f's kinks and jumps do not touch:

    dE/dc = E[f(x) f(y) ((u^2 - 1) / (2 (1 + c)) - (v^2 - 1) / (2 (1 - c)))]

References:
    Poole et al. (2016), arXiv:1606.05340, eq. 5 (correlation map); Plackett (1954), A reduction formula for
    normal multivariate integrals (slope).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import legendre

from fanin.theory.activation import Activation, Array
from fanin.theory.legendre import COEFFICIENTS, NODES, WEIGHTS
from fanin.theory.panels import Panels

_REACH = 9.0  # standard deviations
_FINEST = 1 / 8
_AGREED, _AGREED_SINGULAR = 1e-13, 1e-5
_BEYOND = 0.1  # of a panel's half width
_FOLLOWED, _WIDE, _CENTRE = 1e-8, 1e-3, 4.1
_PROBES = np.array([-0.5, 0.3, 0.9, 0.9999])
_MANY = 2_000_000  # values at once


@dataclass(frozen=True, eq=False)
class PairMoments:
    """E[f(x) f(y)] over correlated normal numbers.

    Args:
        activation: The function f.
        breaks: Where it has kinks, jumps or singular places.
        step: Width of the panels in standard deviations.
        error: Error that the width leaves, relative to E[f^2].
    """

    activation: Activation
    breaks: tuple[float, ...]
    step: float
    error: float = 0.0

    def at(self, q: Array | float, c: Array | float) -> tuple[Array, Array]:
        """Return E[f(x) f(y)] and its derivative with respect to c, for variances q > 0 and -1 < c < 1.

        Args:
            q: Variances.
            c: Correlations, of a shape that broadcasts with the variances'.
        """
        shape = np.broadcast_shapes(np.shape(q), np.shape(c))
        sds, cs = (np.broadcast_to(each, shape).reshape(-1) for each in (np.sqrt(q), np.asarray(c, float)))
        few = max(1, _MANY // self._size)
        parts = [self._some(sds[i : i + few], cs[i : i + few]) for i in range(0, len(cs), few)]
        moments, slopes = np.concatenate(parts, axis=1)
        return moments.reshape(shape), slopes.reshape(shape)

    @property
    def _size(self) -> int:
        panels, breaks = math.ceil(2 * _REACH / self.step), len(self.breaks)
        return len(NODES) ** 2 * (panels + breaks**2) * (panels + 2 * breaks)

    def _some(self, sds: Array, cs: Array) -> Array:
        side, c = np.where(cs < 0, -1.0, 1.0)[:, None, None], np.abs(cs)
        a, b = np.sqrt((1 + c) / 2)[:, None], np.sqrt((1 - c) / 2)[:, None]
        first = np.array(self.breaks) / sds[:, None]
        second = side[:, 0] * first
        v, v_weights = self._nodes((first[:, :, None] - second[:, None, :]).reshape(len(c), -1) / (2 * b))
        a, b, shift = a[:, :, None], b[:, :, None], (b * v)[:, :, None]
        kinks = np.concatenate([first[:, None] - shift, second[:, None] + shift], axis=2) / a
        u, u_weights = self._nodes(kinks)
        value, sd = self.activation.value, sds[:, None, None]
        along, across = a * u, shift
        products = u_weights * value(sd * (along + across)) * value(side * sd * (along - across))
        inner = np.sum(products, axis=2)
        curved = np.sum(products * (u * u - 1), axis=2) / (2 * (1 + c[:, None]))
        slopes = curved - inner * (v * v - 1) / (2 * (1 - c[:, None]))
        return np.array(
            [np.sum(v_weights * inner, axis=1), side[:, 0, 0] * np.sum(v_weights * slopes, axis=1)]
        )

    def _nodes(self, breaks: Array) -> tuple[Array, Array]:
        """Return nodes of panels with edges at the breaks too, and their weights under N(0, 1)."""
        count = math.ceil(2 * _REACH / self.step)
        even = np.broadcast_to(np.linspace(-_REACH, _REACH, count + 1), (*breaks.shape[:-1], count + 1))
        edges = np.sort(np.concatenate([even, np.clip(breaks, -_REACH, _REACH)], axis=-1), axis=-1)
        half = np.diff(edges)[..., None] / 2
        x = (edges[..., :-1, None] + half) + half * NODES
        weights = half * WEIGHTS * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        flat = (*breaks.shape[:-1], -1)
        return x.reshape(flat), weights.reshape(flat)


def pair_moments(activation: Activation, panels: Panels, q: float = 1.0) -> PairMoments:
    """Return the pair moments of an activation, with panels as fine as variances up to q need.

    Args:
        activation: The function f.
        panels: The function on panels.
        q: The largest variance that they are asked for.

    Example:
        >>> from fanin.theory.names import named
        >>> from fanin.theory.panels import resolve
        >>> relu = pair_moments(named("relu"), resolve(named("relu")))
        >>> moment, slope = relu.at(1.0, 0.0)
        >>> round(float(moment * 2 * math.pi), 10), round(float(slope), 10)  # Cho, Saul (2009)
        (1.0, 0.25)
    """
    found = PairMoments(activation, breaks(panels), 2.0)
    wanted = _AGREED_SINGULAR if panels.singular else _AGREED
    coarse = found.at(q, _PROBES)
    while found.step > _FINEST:
        finer = replace(found, step=found.step / 2)
        fine = finer.at(q, _PROBES)
        error = _apart(coarse, fine)
        if error <= wanted:
            return replace(found, error=error)
        found, coarse = replace(finer, error=error), fine
    return found


def _apart(coarse: tuple[Array, Array], fine: tuple[Array, Array]) -> float:
    """Return how far two results are apart, relative to E[f^2]; next to c = 1 slopes have fewer digits."""
    moments, slopes = (np.abs(one - two) for one, two in zip(coarse, fine, strict=True))
    return float(max(moments.max(), slopes[:-1].max()) / np.abs(fine[0]).max())


def breaks(panels: Panels) -> tuple[float, ...]:
    """Return where a function or one of its first derivatives jumps, and its singular places.

    At such an edge the polynomial of one side does not go on as that of the other.

    Args:
        panels: The function on panels.

    Example:
        >>> from fanin.theory.panels import resolve
        >>> breaks(resolve(Activation("smooth in slope", lambda x: x / (1 + np.abs(x)))))
        (0.0,)
    """
    half, size = np.diff(panels.edges) / 2, np.abs(panels.values).max(axis=1)
    ahead = _BEYOND * np.minimum(half[:-1], half[1:])
    left = _polynomial(panels.values[:-1], 1 + ahead / half[:-1])
    right = _polynomial(panels.values[1:], -1 + ahead / half[1:])
    near = size[(np.abs(panels.edges[1:]) < _CENTRE) & (np.abs(panels.edges[:-1]) < _CENTRE)].max()
    rounding = 1e4 * panels.error * np.maximum(np.maximum(size[:-1], size[1:]), near)
    spread = np.ptp(panels.values, axis=1)
    least = _FOLLOWED * np.maximum(spread[:-1], spread[1:]) + rounding
    apart = np.abs(left - right) > least
    wide = np.minimum(half[:-1], half[1:]) > _WIDE
    found = panels.edges[1:-1][apart & wide]
    return tuple(sorted({*map(float, found), *panels.kinks, *panels.jumps, *panels.singular}))


def _polynomial(values: Array, x: Array) -> Array:
    """Return each panel's polynomial at its own place."""
    return np.einsum("pn,pn->p", values, legendre.legvander(x, len(NODES) - 1) @ COEFFICIENTS)
