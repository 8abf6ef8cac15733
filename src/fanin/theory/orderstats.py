r"""The largest of n independent normal numbers: what max pooling takes expectations over.

Its density is n phi(x) Phi(x)^(n-1). For a nondecreasing f, max f(x_i) = f(max x_i): so a ReLU before a max
pool is a function of the same largest number.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

from fanin.errors import FaninError
from fanin.theory.activation import Array
from fanin.theory.legendre import WEIGHTS, points

_REACH, _WIDTH = 12.0, 0.5
_NOTHING = 1e-24  # of a weight


class MaximumMoments(NamedTuple):
    """Moments of the largest of n independent N(0, 1).

    Args:
        mean: E[max].
        second: E[max^2].
    """

    mean: float
    second: float


def maximum_nodes(count: float, kinks: tuple[float, ...] = (0.0,)) -> tuple[Array, Array]:
    """Return nodes and weights for expectations over the largest of n independent N(0, 1).

    Args:
        count: How many numbers, n.
        kinks: Where the functions to be integrated are not smooth.

    Returns:
        Nodes x and weights w, so that E[f(max)] = sum w f(x), to rounding for f smooth between the kinks.

    Raises:
        FaninError: There is no number.

    Example:
        >>> x, w = maximum_nodes(2)
        >>> round(float(np.sum(w * np.maximum(x, 0) ** 2)), 6)  # a ReLU, then the larger of two
        0.909155
    """
    if not 1 <= count < math.inf:
        raise FaninError(f"There are {count!r} numbers to take the largest of.", expected="1 or more")
    inside = [kink for kink in kinks if -_REACH < kink < _REACH]
    edges = np.unique(np.concatenate([np.arange(-_REACH, _REACH + _WIDTH, _WIDTH), inside]))
    x = points(edges)
    density = np.exp((count - 1) * log_ndtr(x) - x * x / 2) * (count / math.sqrt(2 * math.pi))
    weights = np.diff(edges)[:, None] / 2 * WEIGHTS * density
    kept = weights > _NOTHING
    return x[kept], weights[kept]


@lru_cache(maxsize=1024)
def maximum_moments(count: float) -> MaximumMoments:
    """Return the first two moments of the largest of n independent N(0, 1).

    Args:
        count: How many numbers, n.

    Raises:
        FaninError: There is no number.

    Example:
        >>> found = maximum_moments(4)
        >>> round(found.mean, 10), round(found.second, 10)
        (1.029375373, 1.5513288954)

    References:
        David, Nagaraja (2003), Order Statistics, section 3.2.
    """
    x, weights = maximum_nodes(count)
    return MaximumMoments(float(np.sum(weights * x)), float(np.sum(weights * x * x)))
