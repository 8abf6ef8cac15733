"""How the second moment drifts with depth from the fixed point q = 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from fanin.theory.activation import Array
from fanin.theory.lengthmap import LengthMap

PERTURBATION = 0.01
"""Where no width is given, the second moment starts this much below and above 1."""
_CHAINS = 4096
_GOLDEN, _ROOT = (math.sqrt(5) - 1) / 2, math.sqrt(2)
_ZERO = 1e-3  # of a cube root
_LOWEST, _HIGHEST = -700.0, 700.0  # logarithms of what float64 can hold


@dataclass(frozen=True)
class Drift:
    """The second moment q of the pre-activations in each layer, for q = 1 at the start.

    Args:
        depth: Layers.
        width: Units of each layer; None for infinitely many, with starts at 0.99 and 1.01.
        low: One value a layer, from the start on: a tenth of the networks are below it; without a
            width, the path from 0.99.
        middle: The median; without a width, the path from 1.
        high: A tenth of the networks are above it; without a width, the path from 1.01.
    """

    depth: int
    width: int | None
    low: tuple[float, ...]
    middle: tuple[float, ...]
    high: tuple[float, ...]


def drift(lengths: LengthMap, depth: int, width: int | None) -> Drift:
    """Return how q develops over some layers.

    At a finite width q is a Markov chain with V(q) as its mean and r(q) / width as its relative variance
    (see `fanin.theory.lengthmap`); its steps are taken as gamma distributed. 4096 chains go side by side,
    spread evenly over their quantiles at every step: the answer is always the same, and smoother than chance.

    Args:
        lengths: The length map under the gain.
        depth: Layers.
        width: Units a layer, or None for infinitely many.

    References:
        Wilson, Hilferty (1931), The distribution of chi-square;
        L'Ecuyer, Lecot, Tuffin (2008), A randomized quasi-Monte Carlo simulation method for Markov chains.
    """
    if width is None:
        logs = np.log([1 - PERTURBATION, 1.0, 1 + PERTURBATION])
        paths = [logs, *(logs := _step(lengths, logs) for _ in range(depth))]
    else:
        logs = np.zeros(_CHAINS)
        paths = [np.zeros(3)]
        for layer in range(depth):
            logs = _noisy_step(lengths, np.sort(logs), layer, width)
            paths.append(np.quantile(logs, [0.1, 0.5, 0.9], method="nearest"))
    low, middle, high = (tuple(map(_exp, path)) for path in np.transpose(paths))
    return Drift(depth, width, low, middle, high)


def _step(lengths: LengthMap, logs: Array) -> Array:
    """Return log V(q), clipped; infinite where V is."""
    finite = np.minimum(logs, _HIGHEST)
    return np.where(logs < lengths.limit, np.clip(lengths.log_length(finite), _LOWEST, math.inf), math.inf)


def _noisy_step(lengths: LengthMap, logs: Array, layer: int, width: int) -> Array:
    """Return log q of the next layer for chains in order; neighbours get noise from far apart."""
    even = (np.arange(1, len(logs) + 1) * _GOLDEN + layer * _ROOT) % 1.0
    variance = np.maximum(lengths.spread(np.minimum(logs, _HIGHEST)), 0.0) / width
    root = (
        1 - variance / 9 + np.sqrt(variance) / 3 * ndtri(even)
    )  # Wilson and Hilferty's cube root of a gamma
    return _step(lengths, logs) + 3 * np.log(np.maximum(root, _ZERO))


def _exp(log: float) -> float:
    return math.exp(log) if log < _HIGHEST else math.inf
