"""The typical score of a scheme over its seeds: the interquartile mean and its BCa interval."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 4999
TRIMMED = 0.25
DIGITS = 12
"""BCa counts draws that equal the data's own value; rounding errors must not decide which do."""


def iqm(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the interquartile mean: the mean of what is left without the best and the worst quarter.

    With g = floor(n / 4) and sorted values x_(1) <= ... <= x_(n):

        IQM = (x_(g+1) + ... + x_(n-g)) / (n - 2 g)

    Args:
        values: Scores, (..., n). -inf, a failed run, is trimmed away like any other bad run; where more
            than g of them fail the result is -inf.

    Returns:
        (...,)

    Example:
        >>> import numpy as np
        >>> float(iqm(np.array([0.0, 1.0, 2.0, 9.0]))), float(iqm(np.array([-np.inf, 1.0, 2.0, 9.0])))
        (1.5, 1.5)

    References:
        Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical precipice, sec. 4.
    """
    # Sorted, so that the order of seeds does not even change the rounding.
    return np.asarray(stats.trim_mean(np.sort(values, axis=-1), TRIMMED, axis=-1))


def iqm_interval(values: NDArray[np.float64], *, confidence: float = 0.95) -> NDArray[np.float64]:
    """Return the bias-corrected and accelerated (BCa) bootstrap interval of the interquartile mean.

    The resamples are the same at every call, so the interval depends on the values alone. Where BCa is
    undefined because nothing that counts varies, the percentile interval takes its place; of equal
    values it is that value. A resample in which a failed run is not trimmed away is worse than any that
    has a score; where the lower end would be one of these there is no interval.

    Args:
        values: Scores, (..., n) with n >= 2; -inf is a failed run.
        confidence: Nominal coverage.

    Returns:
        Lower and upper ends, (..., 2); nan where too many runs failed to tell.

    Example:
        >>> import numpy as np
        >>> iqm_interval(np.full(8, 0.5)).tolist()
        [0.5, 0.5]

    References:
        Efron (1987), Better bootstrap confidence intervals, J. Am. Stat. Assoc. 82, eq. 2.3 and 6.6.
    """
    ordered = np.sort(values, axis=-1)
    with np.errstate(invalid="ignore"):
        center, size = _center_and_size(ordered)
        ends = center + size * _ends((ordered - center) / size, confidence)
    return np.where(np.isfinite(ends).all(axis=-1, keepdims=True), ends, np.nan)


def _center_and_size(ordered: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the median run's score and the width of the middle half, or of all if that is 0, (..., 1)."""
    count = ordered.shape[-1]
    trim = int(TRIMMED * count)
    alive = np.isfinite(ordered)
    inner = ordered[..., [count - 1 - trim]] - ordered[..., [trim]]
    outer = ordered[..., -1:] - ordered.min(axis=-1, keepdims=True, where=alive, initial=np.inf)
    size = np.where(inner > 0, inner, outer)
    return ordered[..., [count // 2]], np.where(size > 0, size, 1.0)


def _ends(ordered: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Return the interval of values of about unit size, not finite where failed runs reach into it."""
    draws = _draws(ordered)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    percentile = np.moveaxis(np.quantile(draws, tails, axis=-1), 0, -1)
    bca = _bca(ordered, draws, confidence)
    return np.where(np.isnan(bca).all(axis=-1, keepdims=True), percentile, bca)


def _draws(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the interquartile mean of each resample, (..., RESAMPLES); -inf if a failed run is in it."""
    weights = _resampled_weights(ordered.shape[-1]).T
    alive = np.isfinite(ordered)
    draws = (np.where(alive, ordered, 0.0) @ weights).round(DIGITS)
    return np.where((~alive).astype(float) @ weights > 0, -np.inf, draws)


def _resampled_weights(count: int) -> NDArray[np.float64]:
    """Return each order statistic's weight in the interquartile mean of each resample, (RESAMPLES, n).

    A resample is told by how often each value was drawn. Drawn from sorted data it is sorted too, so
    value i fills the places from C_(i-1) to C_i of it, C the running count, and weighs as many of these
    as lie in its middle half. So one draw serves every scheme, and nothing has to be sorted again.
    """
    rng = np.random.default_rng(0)
    trim = int(TRIMMED * count)
    weights = np.empty((RESAMPLES, count))
    for start in range(0, RESAMPLES, 256):
        block = weights[start : start + 256]
        drawn = rng.integers(0, count, block.shape) + count * np.arange(len(block))[:, None]
        filled = np.bincount(drawn.ravel(), minlength=block.size).reshape(block.shape).cumsum(axis=1)
        block[:] = np.diff(filled.clip(trim, count - trim), axis=1, prepend=trim)
    return weights / (count - 2 * trim)


def _bca(ordered: NDArray[np.float64], draws: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        ends = stats.bootstrap(
            (ordered,),
            _middle_mean,
            vectorized=True,
            axis=-1,
            confidence_level=confidence,
            method="BCa",
            n_resamples=0,
            bootstrap_result=SimpleNamespace(bootstrap_distribution=draws),
            batch=max(1, 1_000_000 // ordered.size),
        ).confidence_interval
    return np.stack([ends.low, ends.high], axis=-1)


def _middle_mean(ordered: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    # scipy asks for the data's own value and for those with one left out, all of them sorted.
    count = ordered.shape[-1]
    trim = int(TRIMMED * count)
    return ordered[..., trim : count - trim].mean(axis=axis).round(DIGITS)
