"""A learning curve over seeds: its middle and its quartiles at each epoch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fanin.experiments.question import Direction
from fanin.experiments.statistics.aggregate import iqm


def band(values: NDArray[np.float64], direction: Direction | None) -> NDArray[np.float64]:
    """Return the interquartile mean and the quartiles of a logged quantity over runs, at each epoch.

    A value that is not finite counts as the worst there is. Quartiles are values of runs, not between
    two, so that one of a diverged run is not blended with a finite one.

    Args:
        values: (runs, epochs).
        direction: Which way is better; None if unknown, where one
            non-finite value makes an epoch's band unknown.

    Returns:
        Rows of center, lower and upper quartile, (3, epochs); nan where not finite.

    Example:
        >>> import numpy as np
        >>> band(np.array([[1.0], [2.0], [3.0], [np.nan]]), "min").tolist()
        [[2.5], [1.0], [nan]]
    """
    finite = np.isfinite(values)
    worst = -np.inf if direction == "max" else np.inf
    ordered = np.sort(np.where(finite, values, worst), axis=0)
    if direction is None:
        ordered[:, ~finite.all(axis=0)] = np.inf
    quarter = math.ceil(len(values) / 4) - 1
    rows = np.stack([iqm(ordered.T), ordered[quarter], ordered[len(values) - 1 - quarter]])
    return np.where(np.isfinite(rows), rows, np.nan)
