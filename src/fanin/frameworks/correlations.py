"""Correlations of a batch of values, over all pairs of examples or of positions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def between_examples(values: NDArray[np.float64]) -> float:
    """Return the correlation of two examples at the same place, 0 if it is below.

    Args:
        values: (examples, ...).

    Example:
        >>> between_examples(np.array([[1.0, -1.0], [1.0, -1.0]]))
        1.0
    """
    return _between(values - np.mean(values), 0)


def between_positions(values: NDArray[np.float64]) -> float:
    """Return the correlation of two positions in the same example and channel, 0 if it is below.

    Args:
        values: (examples, ..., channels).

    Example:
        >>> between_positions(np.array([[[2.0], [2.0]], [[0.0], [0.0]]]))
        1.0
    """
    if values.ndim < 3:
        return 0.0
    apart = values - np.mean(values)
    return _between(apart.reshape(len(values), -1, values.shape[-1]), 1)


def _between(values: NDArray[np.float64], axis: int) -> float:
    """Return the mean product of two different places along an axis, over the mean square."""
    count, square = values.shape[axis], float(np.mean(np.square(values)))
    if count < 2 or not square:
        return 0.0
    both = float(np.mean(np.square(np.sum(values, axis=axis))))
    return min(max((both / count - square) / (count - 1) / square, 0.0), 1.0)
