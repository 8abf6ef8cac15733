"""When a run has failed, how often that happens, and what it counts for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

DIVERGED = 10.0


def failed(loss: NDArray[np.float64], score: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which runs failed.

    A run has failed when its training loss is not finite at some epoch, or has grown more than tenfold
    from the first epoch (where that is positive) to the last, or when its final score is not finite.

    Args:
        loss: Training loss, (runs, epochs).
        score: Final scores, (runs,).

    Returns:
        (runs,)

    Example:
        >>> import numpy as np
        >>> loss = np.array([[0.7, 0.3], [0.7, np.nan], [0.7, 7.1], [0.7, 6.9]])
        >>> failed(loss, np.array([0.9, 0.5, 0.5, 0.5])).tolist()
        [False, True, True, False]
    """
    broken = ~np.isfinite(loss).all(axis=-1) | ~np.isfinite(score)
    first, last = loss[..., 0], loss[..., -1]
    with np.errstate(invalid="ignore", over="ignore"):
        return broken | ((first > 0) & (last > DIVERGED * first))


def failure_interval(count: int, runs: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of the failure rate.

    Example:
        >>> [round(end, 3) for end in failure_interval(0, 20)]
        [0.0, 0.161]

    References:
        Wilson (1927), Probable inference, J. Am. Stat. Assoc. 22.
    """
    ends = stats.binomtest(count, runs).proportion_ci(method="wilson")
    return float(ends.low), float(ends.high)


def with_worst(goodness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores in which a failed run has the worst score of all runs that did not fail.

    This is what the paired test is given. The stand-in is found without regard to who got which score,
    so runs of schemes that are alike can still change places, and the test keeps its error rate.

    Args:
        goodness: (schemes, seeds), larger is better; -inf is a failed run.

    Returns:
        Finite scores; 0 where every run failed.

    Example:
        >>> import numpy as np
        >>> with_worst(np.array([[0.9, -np.inf], [0.8, 0.7]])).tolist()
        [[0.9, 0.7], [0.8, 0.7]]
    """
    alive = np.isfinite(goodness)
    worst = goodness[alive].min() if alive.any() else 0.0
    return np.where(alive, goodness, worst)


def enough_finished(count: int, runs: int, *, confidence: float = 0.95) -> bool:
    """Return whether the interval of the interquartile mean can be told without knowing a failed run's score.

    It cannot where so many failed that their stand-in would be in the middle half of more resamples than
    the interval leaves out at its worse end.

    Example:
        >>> enough_finished(0, 8), enough_finished(2, 20), enough_finished(4, 20)
        (True, True, False)
    """
    return bool(stats.binom.sf(runs // 4, runs, count / runs) <= (1 - confidence) / 2)
