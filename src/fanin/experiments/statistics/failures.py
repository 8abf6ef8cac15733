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


def paired_differences(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much better one scheme's run is than another's under each seed.

    A failed run has the worst score of all runs of these two schemes that did not fail, or a score worse
    than that if those are all equal; two failed runs are equal. The stand-in is found without regard to
    who got which score, so runs of two schemes that are alike can still change places, and a test keeps
    its error rate. No third scheme has a say in it: one that ends at a loss of 500 hides nothing.

    Args:
        first: Scores, (..., seeds), larger is better; -inf is a failed run.
        second: Scores under the same seeds, (..., seeds).

    Returns:
        Finite differences, (..., seeds).

    Example:
        >>> import numpy as np
        >>> paired_differences(np.array([3.0, -np.inf, 4.0]), np.array([2.0, 2.0, -np.inf])).tolist()
        [1.0, 0.0, 2.0]
    """
    both = np.stack([first, second])
    alive = np.isfinite(both)
    worst = both.min(axis=(0, -1), where=alive, initial=np.inf)
    worst = np.where(np.isfinite(worst), worst, 0.0)
    equal = both.max(axis=(0, -1), where=alive, initial=-np.inf) <= worst
    worst = np.where(equal, worst - np.abs(worst) - 1, worst)
    finite = np.where(alive, both, worst[..., None])
    return finite[0] - finite[1]
