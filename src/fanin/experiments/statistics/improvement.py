"""How often one scheme's run is better than another's under the same seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv


def improvement(goodness: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probability of improvement of every scheme on every other, and its interval.

        P(a better than b) = P(X_a > X_b) + P(X_a = X_b) / 2

    estimated over seeds, each of which pairs one run of a with one of b. The interval is Clopper and
    Pearson's at 95 %, with ties as half a success: seeds are independent, so no resampling is needed,
    and it holds at any number of seeds and at 0 and 1.

    Args:
        goodness: (schemes, seeds), larger is better; -inf is a failed run, worse than any other and
            equal to another failed one.

    Returns:
        The probabilities, (schemes, schemes) with [a, b] for a on b, and their ends, (schemes, schemes, 2).

    Example:
        >>> import numpy as np
        >>> probability, interval = improvement(np.array([[3.0, 2.0, 5.0, 1.0], [1.0, 2.0, 4.0, -np.inf]]))
        >>> float(probability[0, 1]), interval[0, 1].round(3).tolist()
        (0.875, [0.284, 1.0])

    References:
        Agarwal et al. (2021), sec. 4.3; Clopper and Pearson (1934), Biometrika 26.
    """
    count = goodness.shape[-1]
    better = (goodness[:, None] > goodness[None]).sum(axis=-1)
    ties = (goodness[:, None] == goodness[None]).sum(axis=-1)
    wins = better + ties / 2
    return wins / count, exact_interval(wins, count)


def exact_interval(wins: NDArray[np.float64], count: int, *, confidence: float = 0.95) -> NDArray[np.float64]:
    """Return Clopper and Pearson's interval of a proportion; half successes are allowed.

    Args:
        wins: Successes, (...).
        count: Trials.
        confidence: Least coverage.

    Returns:
        Lower and upper ends, (..., 2).

    Example:
        >>> import numpy as np
        >>> exact_interval(np.array(8.0), 8).round(3).tolist()
        [0.631, 1.0]
    """
    tail = (1 - confidence) / 2
    low = betaincinv(np.maximum(wins, 0.5), count - wins + 1, tail)
    high = betaincinv(wins + 1, np.maximum(count - wins, 0.5), 1 - tail)
    return np.stack([np.where(wins > 0, low, 0.0), np.where(wins < count, high, 1.0)], axis=-1)
