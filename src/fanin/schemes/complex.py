"""Complex values: each is made of two real ones, and what counts is its modulus, E|w|^2."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.schemes.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform


def law_of_pairs(distribution: Distribution) -> Distribution:
    """Return what the two real values are drawn from that make a complex one.

    Example:
        >>> law_of_pairs(TruncatedNormal(0.0, 1.0))
        Uniform(low=0.0, high=1.0)
    """
    if isinstance(distribution, Normal):
        return Normal(0.0, distribution.sd / math.sqrt(2))
    return Uniform(0.0, 1.0)


def from_pairs(distribution: Distribution, pairs: np.ndarray) -> Any:
    """Return the complex values that real ones make.

    A normal has independent real and imaginary parts of half its variance. A truncated normal has its
    modulus cut at sd high, a uniform one is uniform on a disk of radius high: their squared moduli are

        -sd^2 log(1 - (1 - exp(-high^2)) u)  and  high^2 u,

    and their angles are uniform.

    Args:
        distribution: What the values are to be drawn from.
        pairs: Drawn from `law_of_pairs`, float64, (..., 2 n).

    Returns:
        complex128, (..., n), or a number that all are.

    Raises:
        FaninError: The distribution has no complex counterpart.

    Example:
        >>> abs(from_pairs(Uniform(-3.0, 3.0), np.array([1.0, 0.25]))).tolist()
        [3.0]
    """
    if isinstance(distribution, Constant):
        return distribution.value
    if isinstance(distribution, Normal):
        return distribution.mean + pairs.view(np.complex128)
    share, turn = pairs[..., ::2], np.exp(2j * np.pi * pairs[..., 1::2])
    if isinstance(distribution, TruncatedNormal):
        exponential = -np.log1p(math.expm1(-(distribution.high**2)) * share)
        return distribution.mean + distribution.sd * np.sqrt(exponential) * turn
    check_complex(distribution)
    assert_type: Any = distribution  # a uniform one is what is left
    return assert_type.high * np.sqrt(share) * turn


def check_complex(distribution: Distribution) -> None:
    """Refuse a distribution of single values that has no complex counterpart.

    Raises:
        FaninError: It is not a normal, nor a uniform one around 0.

    Example:
        >>> check_complex(Uniform(-1.0, 1.0))
    """
    centered = isinstance(distribution, Uniform) and distribution.low == -distribution.high
    if not (centered or isinstance(distribution, Constant | Normal | TruncatedNormal)):
        raise FaninError(
            f"{distribution!r} is for real numbers.", expected="a normal, or a uniform one around 0"
        )
