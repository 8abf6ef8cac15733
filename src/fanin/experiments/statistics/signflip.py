"""Is a scheme better than a control beyond luck: the studentized sign-flip maxT test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fanin.experiments.statistics.failures import paired_differences

FLIPS = 9999
"""Random sign patterns where there are too many to try all."""

ROUNDING = 1e-9
"""Statistics as close as this are equal: rounding must not say who leads, or which pattern counts."""


class MaxT(NamedTuple):
    """Paired comparisons of every scheme with every control.

    Args:
        difference: Mean paired difference, (..., schemes, schemes): [a, b] is positive when a is better
            than control b.
        statistic: Its t statistic; inf where the differences are all equal and not 0.
        p_adjusted: Two-sided p of a against control b, corrected for all schemes tested against b.
    """

    difference: NDArray[np.float64]
    statistic: NDArray[np.float64]
    p_adjusted: NDArray[np.float64]


def max_t(goodness: NDArray[np.float64], *, flips: int = FLIPS) -> MaxT:
    r"""Test every scheme against every other as its control, paired by seed.

    With d_i the differences of a from b over n seeds, t = mean(d) sqrt(n) / sd(d). If a and b are alike,
    a run of each can change places under a seed, and d_i changes its sign. Flipping the signs of seeds,
    the same for all schemes so that their dependence is kept, gives what luck does to the largest |t|
    of all schemes against b; the adjusted p of a is the share of sign patterns s with

        max over a' of |t_a'b(s)| >= |t_ab|

    Column b is one family of tests: its error rate is that of any false rejection in it. All patterns
    are tried where they are few (n <= 14); otherwise 9,999 random ones and the one observed, which is
    (1 + count) / (1 + 9,999). Every statistic is studentized by itself: one scheme that scatters
    wildly does not hide the others.

    What is tested is that two schemes are alike, or differ by noise that is as often up as down. Two
    schemes with the same mean of which one alone is skewed are not alike, and may be told apart.

    Args:
        goodness: Scores, (..., schemes, seeds), larger is better; -inf is a failed run, which counts as
            in `paired_differences`.
        flips: Random sign patterns where there are more to try.

    Returns:
        (..., schemes, schemes) arrays; p is 1 on the diagonal.

    Example:
        >>> import numpy as np
        >>> control, better = np.arange(8.0), np.arange(8.0) + [1, 2, 1, 2, 1, 2, 1, 2]
        >>> float(max_t(np.stack([control, better])).p_adjusted[1, 0])  # 2 of 2^8 patterns
        0.0078125

    References:
        Westfall and Young (1993), Resampling-based multiple testing, sec. 2.3 (single-step maxT);
        Janssen (1997), Studentized permutation tests for non-i.i.d. hypotheses, Stat. Probab. Lett. 36.
    """
    schemes, seeds = goodness.shape[-2:]
    first, second = np.triu_indices(schemes, 1)
    differences = paired_differences(goodness[..., first, :], goodness[..., second, :])
    observed = _normalized(differences)
    flipped = _flipped(observed, _patterns(seeds, flips))
    pairs = np.zeros((schemes, schemes), dtype=int)
    pairs[first, second] = pairs[second, first] = np.arange(len(first))
    total = observed.sum(axis=-1)
    correlation = _square(np.where(np.abs(total) > ROUNDING, total, 0.0), first, second, schemes)
    p = np.ones_like(correlation)
    for control in range(schemes):
        others = np.delete(np.arange(schemes), control)
        largest = flipped[..., pairs[others, control], :].max(axis=-2) if len(others) else np.empty(0)
        for other in others:
            reached = np.abs(correlation[..., other, control, None]) - ROUNDING
            p[..., other, control] = (largest >= reached).mean(axis=-1)
    return MaxT(_square(differences.mean(axis=-1), first, second, schemes), _student(correlation, seeds), p)


def _normalized(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale differences so that their sum r is in [-1, 1] and t = r sqrt(n - 1) / sqrt(1 - r^2).

    No flip changes the sum of squares, so |r| orders the patterns as |t| does, and it exists without a
    variance too: 0 where all differences are 0, 1 where they are all equal.
    """
    sizes = np.abs(differences).max(axis=-1, keepdims=True, initial=0.0)
    scaled = np.divide(differences, sizes, out=np.zeros_like(differences), where=sizes > 0)
    norms = np.sqrt(scaled.shape[-1] * np.square(scaled).sum(axis=-1, keepdims=True))
    return np.divide(scaled, norms, out=np.zeros_like(scaled), where=norms > 0)


def _flipped(normalized: NDArray[np.float64], patterns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return |r| of each pair under each pattern of signs, (..., pairs, patterns)."""
    total = normalized.sum(axis=-1, keepdims=True)
    # A pattern with signs 1 - 2 b, b in {0, 1}, sums to the total minus twice what b picks.
    blocks = [np.abs(total - 2 * (normalized @ picked.T)) for picked in patterns]
    return np.concatenate(blocks, axis=-1)


def _patterns(seeds: int, flips: int) -> list[NDArray[np.float64]]:
    """Return which signs to flip, (patterns, seeds) zeros and ones in blocks; none flipped comes first."""
    if 2 ** (seeds - 1) <= flips + 1:
        # The first seed keeps its sign: a pattern and its opposite have the same |r|.
        bits = np.arange(2 ** (seeds - 1))[:, None] >> np.arange(seeds)[::-1] & 1
        return [bits.astype(np.float64)]
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 256, (flips, -(-seeds // 8)), dtype=np.uint8)
    bits = np.unpackbits(drawn, axis=1, count=seeds)
    return [np.zeros((1, seeds)), *(bits[i : i + 1000].astype(np.float64) for i in range(0, flips, 1000))]


def _square(
    values: NDArray[np.float64], first: NDArray[np.intp], second: NDArray[np.intp], schemes: int
) -> NDArray[np.float64]:
    """Return antisymmetric matrices from their upper triangles."""
    square = np.zeros((*values.shape[:-1], schemes, schemes))
    square[..., first, second] = values
    square[..., second, first] = -values
    return square


def _student(correlation: NDArray[np.float64], seeds: int) -> NDArray[np.float64]:
    left = np.clip(1 - np.square(correlation), 0, None)
    left = np.where(left < 1e-14, 0, left)
    with np.errstate(divide="ignore", invalid="ignore"):
        return correlation * np.sqrt(max(seeds - 1, 0)) / np.sqrt(left)
