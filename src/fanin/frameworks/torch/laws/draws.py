"""What a tensor without values would hold: a distribution, and numbers that stand for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.special import ndtr, ndtri

from fanin.graph.signal import Law

_POINTS = 1 << 14
_LEVELS = (np.arange(_POINTS) + 0.5) / _POINTS

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Draw:
    """Values of one distribution.

    Args:
        law: Their mean and variance.
        points: Numbers that stand for them: the distribution's at levels with equal steps, (points,).
        values: The tensor itself, where it is not random.
    """

    law: Law
    points: Array
    values: torch.Tensor | None = None

    def mapped(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Draw:
        """Return the values after a function of each of them."""
        values = None if self.values is None else change(self.values.clone())
        points = change(torch.from_numpy(self.points.copy())).numpy()
        return Draw(replace(_moments(points, self.law.name), orthogonal=False), points, values)

    def scaled(self, factor: float, shift: float = 0.0) -> Draw:
        """Return a factor times the values, plus a shift."""
        old = self.law
        orthogonal = old.orthogonal and not shift
        law = replace(
            old, mean=factor * old.mean + shift, variance=factor**2 * old.variance, orthogonal=orthogonal
        )
        values = None if self.values is None else factor * self.values + shift
        return Draw(law, factor * self.points + shift, values)


def _moments(values: Array, name: str) -> Law:
    return Law(float(values.mean()), float(values.var()), name)


def constant(value: float) -> Draw:
    """Return one value everywhere.

    Example:
        >>> constant(2.0).law
        Law(mean=2.0, variance=0.0, name='constant', orthogonal=False)
    """
    return Draw(Law(float(value), 0.0, "constant"), np.array([float(value)]))


def normal(mean: float = 0.0, sd: float = 1.0) -> Draw:
    """Return normal values."""
    return Draw(Law(float(mean), float(sd) ** 2, "normal"), mean + sd * ndtri(_LEVELS))


def uniform(low: float = 0.0, high: float = 1.0) -> Draw:
    """Return uniform values."""
    law = Law((low + high) / 2, (high - low) ** 2 / 12, "uniform")
    return Draw(law, low + (high - low) * _LEVELS)


def truncated(mean: float, sd: float, low: float, high: float) -> Draw:
    """Return normal values that lie between two bounds.

    With z at the bounds, p the mass between them and f the normal density, the mean is
    (f(z0) - f(z1)) / p and the variance 1 + (z0 f(z0) - z1 f(z1)) / p - mean^2, in units of the normal one.
    """
    ends = np.array([(low - mean) / sd, (high - mean) / sd])
    first, last = ndtr(ends)
    density = np.exp(-(ends**2) / 2) / math.sqrt(2 * math.pi)
    tilt = float(density[0] - density[1]) / (last - first)
    bend = float(ends[0] * density[0] - ends[1] * density[1]) / (last - first)
    law = Law(float(mean + sd * tilt), float(sd**2 * (1 + bend - tilt**2)), "truncated normal")
    return Draw(law, mean + sd * ndtri(first + (last - first) * _LEVELS))


def exponential(rate: float = 1.0) -> Draw:
    """Return exponential values."""
    return Draw(Law(1 / rate, 1 / rate**2, "exponential"), -np.log1p(-_LEVELS) / rate)


def orthogonal(shape: Sequence[int], gain: float) -> Draw:
    """Return an orthogonal matrix: min(m, n) unit vectors among m n values."""
    moment = gain**2 / max(shape[0], math.prod(shape[1:]))
    return Draw(Law(0.0, moment, "orthogonal", orthogonal=True), normal(0.0, math.sqrt(moment)).points)


def sparse(shape: Sequence[int], sparsity: float, sd: float) -> Draw:
    """Return normal values, of which a share in each column is 0."""
    zeros = math.ceil(sparsity * shape[0]) / shape[0]
    points = sd * ndtri(_LEVELS)
    points[np.random.default_rng(0).permutation(_POINTS) < zeros * _POINTS] = 0.0
    return Draw(Law(0.0, (1 - zeros) * sd**2, "sparse"), points)


def known(values: torch.Tensor) -> Draw:
    """Return values that are what they are."""
    flat = values.detach().to("cpu", torch.float64).flatten().numpy()
    law = _moments(flat, "values")
    return Draw(law if law.variance else replace(law, name="constant"), flat, values.detach())


def mixture(parts: Sequence[tuple[int, Draw]]) -> Law:
    """Return the law of several parts, each with its number of values."""
    if len(parts) == 1:
        return parts[0][1].law
    total = sum(count for count, _ in parts)
    mean = sum(count * draw.law.mean for count, draw in parts) / total
    second = sum(count * draw.law.second_moment for count, draw in parts) / total
    names = dict.fromkeys(draw.law.name for _, draw in parts)
    return Law(mean, max(second - mean**2, 0.0), " and ".join(names))
