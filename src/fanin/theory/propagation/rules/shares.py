r"""Softmax over positions outside of attention, as of scores, of pools with weights and of linear attention.

What n positions have in common drops out; what they differ by is drawn for those that are not followed:

    p_i = exp x_i / sum_j exp x_j,  E[g_x^2] = E[p^2 (1 - 2 p + sum p^2)] (E[g^2] - E[g g'])

and gradients of the n sum to 0. Where these are one of many lines, as scores of one query are, the first
block of places is one line, and the second one all others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import softmax

from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, from_blocks, joined, split, to_blocks
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import STILL, Contributions, Result, Signal, Unknown

_ROWS = 512  # that are enough for second moments of gradients
_DRAWN = 64  # others that are drawn, for all
_HIDDEN = -50.0  # where scores are so low on average, they are masked, and not at all places alike


def lines(number: int, length: int, points: int) -> Places:
    """Return places of so many lines of positions: one line, and all others.

    Example:
        >>> lines(5, 4, 2).sizes, lines(1, 4, 2).sizes
        ((4, 16), (4,))
    """
    return Places((length, length * (number - 1)) if number > 1 else (length,), points)


def over_positions(x: Signal, number: int, log: bool, context: Context) -> Result:
    """Return the softmax of a value over some of its positions, or the logarithm of that.

    Args:
        x: The value.
        number: Positions that share 1.
        log: Whether its logarithm is wanted.
        context: Of the run.
    """
    if np.min(np.mean(x.values, axis=0)) < _HIDDEN:
        return Result(Unknown("a softmax over positions some of which are hidden"))
    apart = number == len(x.places) == x.places.total  # each position is followed
    shares = _OfEach(x) if apart else _Shares(x, number, context)
    values = np.log(np.maximum(shares.values, 1e-300)) if log else shares.values
    y = replace(x, values=values, chance=STILL, chain=None, normal=False, profile=None, noise=None)

    def pullback(cotangent: Cotangent) -> Contributions:
        return [cotangent.through(shares.back(cotangent.covariance(x.places), log), cotangent.chance)]

    return Result(y, pullback)


class _OfEach:
    """Shares of positions that are all followed, as the steps of a recurrence are.

    Args:
        x: Of which they are the softmax.
    """

    def __init__(self, x: Signal) -> None:
        whole = np.broadcast_to(x.values, (len(x.values), SAMPLES, len(x.places)))
        self.values = softmax(whole, axis=-1)

    def back(self, found: Covariance, log: bool) -> Covariance:
        """Return E[J^T U J] of the gradients' second moments U, J = diag(p) - p p^T, or of the logarithm."""
        p = self.values[:_ROWS]
        of = np.ones_like(p) if log else p
        slopes = -of[..., None] * p[..., None, :]  # (rows, samples, of, with respect to)
        diagonal = np.arange(p.shape[-1])
        slopes[..., diagonal, diagonal] += of
        return np.einsum("rski,sktl,rtlj->sitj", slopes, found, slopes, optimize=True) / len(p)


class _Shares:
    """Shares of positions that sum to 1.

    Args:
        x: Of which they are the softmax.
        number: How many sum to 1.
        context: Of the run.
    """

    def __init__(self, x: Signal, number: int, context: Context) -> None:
        self.number, self.places = number, x.places
        # One line is the first block, or what is like it.
        line = np.flatnonzero(x.places.owner == 0)
        whole = np.broadcast_to(x.values, (len(x.values), SAMPLES, len(x.places)))
        whole = whole - np.mean(whole, axis=0)
        common = _correlation(x)
        together = x.places.sizes[0] == number
        own = np.sqrt(1 - common) * whole
        if together:
            own[..., line] = _uncorrelated(whole[..., line], common)
        powers = np.exp(own)
        totals = powers + _others(own[..., -1], number - 1, context)[..., None]
        if together:
            others = _others(own[..., 0], number - len(line), context)
            totals[..., line] = np.sum(powers[..., line], axis=-1, keepdims=True) + others[..., None]
        self.values = powers / totals

    def back(self, found: Covariance, log: bool) -> Covariance:
        """Return second moments of the gradient from those of the gradient with respect to the shares."""
        slopes = 1.0 if log else self.values**2
        squares = self.number * float(np.mean(self.values**2))
        factor = float(np.mean(slopes * (1 - 2 * self.values + squares)))
        result = []
        for matrix in split(found):
            same, apart = to_blocks(matrix, self.places)
            own = (same - apart[0, 0]) * factor
            near = np.zeros_like(apart)
            near[0, 0] = -own[0] / max(self.number - 1, 1) if self.places.sizes[0] == self.number else 0.0
            result.append(from_blocks(own, near, self.places))
        return joined(*result)


def _correlation(x: Signal) -> float:
    """Return the correlation of two positions of the first block."""
    same, apart = to_blocks(split(x.covariance)[0], x.places)
    variance = float(same[0]) - x.mean**2
    return float(np.clip((apart[0, 0] - x.mean**2) / variance, -1.0, 1.0)) if variance > 0 else 0.0


def _uncorrelated(values: Array, correlation: float) -> Array:
    """Return equally correlated values less what they have in common."""
    points = values.shape[-1]
    together = max(1 + (points - 1) * correlation, 1e-12)
    share = (np.sqrt(max(1 - correlation, 0.0) / together) - 1) / points
    return values + share * np.sum(values, axis=-1, keepdims=True)


def _others(own: Array, number: int, context: Context) -> Array:
    """Return sums of the exponentials of other positions: of some drawn ones, scaled to be all."""
    few = min(max(number, 0), _DRAWN)
    total = np.zeros(own.shape)
    for _ in range(few):
        total += np.exp(own[context.normals.shuffled()])
    # Sums of more vary less, by the root of how many there are.
    mean, times = np.mean(total, axis=0), number / max(few, 1)
    return np.maximum(times * mean + np.sqrt(times) * (total - mean), 0.0)
