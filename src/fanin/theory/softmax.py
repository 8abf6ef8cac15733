r"""How evenly a softmax spreads over random logits, exactly: E sum A^2, and its squared Jacobian.

With W_i = exp(x_i), A_i = W_i / sum W and 1 / S^k = int_0^inf u^(k-1) e^(-u S) du / (k-1)!, independent
logits give

    E sum A^k = T / (k-1)! int u^(k-1) E[W^k e^(-u W)] L(u)^(T-1) du,   L(u) = E e^(-u W)

and the same with two factors E[W^2 e^(-u W)] for i != j in E (sum A^2)^2. In s = log u the factors are

    G_k(s) = E[g_k(s + x)],  g_k(t) = e^(k t) exp(-e^t),   1 - L(s) = integral of G_1 up to s.

All of it is analytic, so that the trapezoidal rule converges exponentially.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import ndtr

from fanin.errors import FaninError
from fanin.theory.activation import Array

_STEP = 0.2  # of t: the error e^(-pi^2 / step) is below rounding
_STEPS = np.arange(-280, 23)  # outside these g_k is 0 to rounding
_T = _STEP * _STEPS
_ORDERS = np.arange(1, 5)[:, None]
_G = np.exp(_ORDERS * _T - np.exp(_T))
_EPS = float(np.finfo(np.float64).eps)
_NARROW = 0.5  # the density of a narrower normal law would slip through the steps of t
_NOTHING = 1e-150
_Z = 0.5 * np.arange(-24, 25)
_NORMAL = 0.5 * np.exp(-(_Z**2) / 2) / math.sqrt(2 * math.pi)


class SoftmaxMoments(NamedTuple):
    """Expectations over a softmax A of random logits x.

    Args:
        sum_squares: E sum A_i^2: 1 / T where A is even, 1 where one position takes all.
        backward: E sum (dA_i / dx_j)^2 over all i and j, which is E[sum A^2 - 2 sum A^3 + (sum A^2)^2]: the
            gradient of T logits has as many times the second moment of independent gradients of A, over T.
    """

    sum_squares: float
    backward: float


@lru_cache(maxsize=4096)
def softmax_moments(positions: float, variance: float) -> SoftmaxMoments:
    r"""Return what a softmax over independent logits from N(mu, variance) does to signals and gradients.

    Args:
        positions: How many logits, T.
        variance: Variance of the logits.

    Raises:
        FaninError: There are no positions, or the variance is negative or not finite.

    Example:
        >>> even, spread = softmax_moments(64, 0.0), softmax_moments(64, 4.0)
        >>> round(even.sum_squares, 6), round(spread.sum_squares, 4)
        (0.015625, 0.1607)

    References:
        Cressie et al. (1981), The moment-generating function and negative integer moments, Am. Stat. 35.
    """
    if not 1 <= positions < math.inf:
        raise FaninError(f"There are {positions!r} positions.", expected="1 or more")
    if not 0 <= variance < math.inf:
        raise FaninError(f"The variance of the logits is {variance!r}.", expected="0 or more, and finite")
    if positions == 1:
        return SoftmaxMoments(1.0, 0.0)
    step, moments, log_l = _factors(positions, math.sqrt(variance))
    one, two = np.exp((positions - 1) * log_l), np.exp((positions - 2) * log_l)
    squares, cubes, fourths = step * positions * (moments[1:] @ one) / (1, 2, 6)
    pairs = step * positions * (positions - 1) * (moments[1] ** 2 @ two) / 6
    return SoftmaxMoments(float(squares), float(squares - 2 * cubes + fourths + pairs))


def _factors(positions: float, sd: float) -> tuple[float, Array, Array]:
    """Return the step of s, and at each s the G_k, (4, s), and log L, (s,)."""
    reach = sd * math.sqrt(2 * (37 + math.log(positions)))  # as far as one of all logits may lie
    # For many wide logits L^T falls like exp(-e^y) in y = s sqrt(2 log T) / sd.
    stride = max(1, int(sd / math.sqrt(2 * math.log(positions) + 1) / 4 / _STEP))
    low = math.floor((-reach - math.log(positions) - 25) / _STEP / stride)
    high = math.ceil((reach + 5) / _STEP / stride)
    steps = stride * np.arange(low, high + 1)
    moments, missing = (_narrow if sd < _NARROW else _wide)(steps, sd)
    return stride * _STEP, moments, np.log1p(-np.minimum(missing, 1 - _EPS))


def _narrow(steps: np.ndarray, sd: float) -> tuple[Array, Array]:
    """Return G_k and 1 - L for logits of a small sd: sums over their law."""
    t = _STEP * steps[:, None] + sd * _Z
    moments = np.exp(_ORDERS[:, :, None] * t - np.exp(t)) @ _NORMAL
    return moments, -np.expm1(-np.exp(t)) @ _NORMAL


def _wide(steps: np.ndarray, sd: float) -> tuple[Array, Array]:
    """Return G_k and 1 - L for logits of a larger sd: sums over g_k, which is narrower than their law."""
    stride = steps[1] - steps[0]
    differences = _STEP * np.arange(steps[0] - _STEPS[-1], steps[-1] - _STEPS[0] + 1) / sd
    density = np.exp(-(differences**2) / 2) / math.sqrt(2 * math.pi) / sd
    density[density < _NOTHING] = 0  # products of subnormal numbers are slow
    below = ndtr(np.maximum(differences, -26))
    near, under = (sliding_window_view(values, len(_T))[::stride] for values in (density, below))
    flipped = _STEP * _G[:, ::-1]
    # Not by BLAS: its threads take longer to start than this takes.
    return np.einsum("kt,st->ks", flipped, near), np.einsum("t,st->s", flipped[0], under)
