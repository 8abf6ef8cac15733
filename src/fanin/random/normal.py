"""The standard normal quantile in additions, multiplications, divisions and roots alone.

These are the operations that IEEE 754 rounds correctly, so every processor, NumPy and compiled code agree
to the last bit; a logarithm of a mathematical library would not. The functions take scalars or arrays, and
they are what the compiled fill compiles.

The coefficients are minimax fits of the relative error (`python -m benchmarks.quantile` makes them again).
It is below 1.6e-9, a fortieth of float32's last bit, so 39 values in 40 and more are correctly rounded and
the others are the next one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

CENTER = 0.4775
"""The fast formula holds for |p - 1/2| up to here, a little beyond two standard deviations."""
FAR = 38.0
"""Beyond so many standard deviations a tail's probability is no double any more."""

_LN2, _LN_2PI = math.log(2.0), math.log(2.0 * math.pi)
# Bits of float64: how many hold digits, those digits, and the numbers 1, sqrt(1/2) and 2^52.
_MANTISSA, _DIGITS = np.uint64(52), np.uint64(2**52 - 1)
_ONE, _ROOT_HALF, _TWO_52 = np.uint64(0x3FF << 52), np.uint64(0x3FE6A09E667F3BCD), np.uint64(0x433 << 52)


def center(q: Any) -> Any:
    """Return the quantile of p = 1/2 + q in the bulk.

        z = q P(v) / Q(v),  v = 1/4 - q^2 = p (1 - p),

    with polynomials of positive coefficients, so that nothing cancels, in single precision neither.

    Args:
        q: |q| <= CENTER, float64.

    Example:
        >>> round(center(0.25), 6)
        0.67449
    """
    return q * ratio(0.25 - q * q)


def ratio(v: Any) -> Any:
    """Return z / q in the bulk as a function of v = p (1 - p), see `center`."""
    w = v * v  # two short chains in place of one long one: the processor works on both at once
    above = (1.0992617912052652e-05 + 0.003058623756037225 * v) + w * (
        (0.13607072172525594 + 1.3955069329387857 * v) + w * (3.091676980549663 + 0.7361269387588026 * v)
    )
    below = (1.7036239168140222e-06 + 0.000619749717279212 * v) + w * (
        (0.035355075907787234 + 0.4885025697731978 * v) + w * (1.6717001765817157 + v)
    )
    return above / below


def tail(r: Any) -> Any:
    """Return the upper quantile z of a tail's probability p, given as r = sqrt(-2 log p).

        z = r - P(r) / Q(r),

    with polynomials of positive coefficients again; what is subtracted is small.

    Args:
        r: From 2.75 (p = 0.0225, z = 2.005) to 40.1 (z = 40).

    Example:
        >>> round(tail(math.sqrt(-2 * math.log(1e-9))), 6)
        5.997807
    """
    above = r * (
        r * (r * (r * 7.747886725988763 + 1181.3658951847747) + 25885.187628653493) + 106432.69752967867
    )
    below = r * (
        r * (r * (r * (r + 226.0650112946984) + 7199.761217654508) + 49678.01092724621) + 72598.18318252529
    )
    return r - (above + 54568.95054349118) / (below + 18393.852935400155)


def far_tail(y: Any) -> Any:
    """Return the upper quantile z above FAR, given y = -2 log p, by iterating `far_square`.

    Args:
        y: -2 log p of the tail.
    """
    square = y - 7.0
    for _ in range(4):
        square = far_square(y, square, -0.5 * minus_two_log(square))
    return np.sqrt(square)


def far_square(y: Any, square: Any, log_square: Any) -> Any:
    """Return a better z^2 than a given one in a far tail; three digits better.

    The expansion of a normal tail's probability gives

        z^2 = y - log(2 pi z^2) - 2 / z^2 + 5 / z^4 - ...

    Args:
        y: -2 log p of the tail.
        square: z^2 so far.
        log_square: log z^2 so far.

    References:
        Abramowitz and Stegun, Handbook of mathematical functions, 26.2.12.
    """
    return y - (_LN_2PI + log_square) - (2.0 - 5.0 / square) / square


def minus_two_log(p: Any) -> Any:
    """Return -2 log p of a positive float64.

    With p = 2^e m, m within a factor sqrt(2) of 1, and s = (m - 1) / (m + 1),

        log p = e log 2 + 2 (s + s^3 / 3 + s^5 / 5 + ...).

    Example:
        >>> round(float(minus_two_log(np.float64(0.01))), 6)
        9.21034
    """
    # In unsigned integers, whose shifts and conversions every processor does many at a time. The bits are
    # shifted so that the exponent changes at sqrt(1/2); np.float64 tells Numba that a scalar has a view.
    bits = np.float64(p).view(np.uint64) + (_ONE - _ROOT_HALF)
    exponent = np.uint64((bits >> _MANTISSA) | _TWO_52).view(np.float64) - (2.0**52 + 1023.0)
    mantissa = np.uint64((bits & _DIGITS) + _ROOT_HALF).view(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    t = s * s
    series = 1.0 + t * (1 / 3 + t * (1 / 5 + t * (1 / 7 + t * (1 / 9 + t * (1 / 11)))))
    return -2.0 * (exponent * _LN2 + 2.0 * s * series)
