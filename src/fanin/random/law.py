"""A normal law between bounds as a function of 32-bit words."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.special import erf, log_ndtr, ndtr

from fanin.random.normal import CENTER, FAR, far_tail, minus_two_log, tail
from fanin.random.philox import WORD

COARSE = 2**21
"""So near the end of a tail, in words, a second word decides the digits that 32 bits leave open.

There the next word's quantile is more than float32's spacing away.
"""


class Law(NamedTuple):
    """How a word w becomes a standard normal value between bounds.

    Words are probabilities (w + 1/2) / 2^32. Those of [first, last) fall in the bulk and give
    p = 1/2 + origin + step w. The others are counted from their own end of the range, so that both tails
    keep their digits: d words from the end is the tail probability (end + width (d + 1/2) / 2^32) scale,
    with log scale = -shift / 2.

    Args:
        origin: p - 1/2 of word 0.
        step: Probability of a word.
        first: First word in the bulk.
        last: First word after the bulk.
        below: Scaled probability below the lower bound.
        above: Scaled probability above the upper bound.
        width: Scaled probability between the bounds.
        shift: -2 log of the scale.
        far: Whether all of the law lies where the tail needs its own expansion.
    """

    origin: float
    step: float
    first: int
    last: int
    below: float
    above: float
    width: float
    shift: float
    far: bool


def law(low: float, high: float) -> Law:
    """Return the law of a standard normal conditioned on [low, high].

    Args:
        low: Lower bound, may be -inf.
        high: Upper bound above it, may be inf.

    Example:
        >>> law(-2.0, 2.0).first, law(-2.0, 2.0).last == 2**32
        (0, True)
    """
    root = math.sqrt(0.5)
    left, right = 0.5 * float(erf(low * root)), 0.5 * float(erf(high * root))
    step = max((right - left) / WORD, 1e-300)  # beyond all digits the bulk is empty, and so stays
    origin = left + step / 2
    first, last = (round(min(max((q - origin) / step, 0.0), WORD)) for q in (-CENTER, CENTER))
    if low < 0 < high:
        ends = (float(ndtr(low)), float(ndtr(-high)), right - left, 0.0)
    else:
        ends = _one_sided(*sorted((abs(low), abs(high))))
    return Law(origin, step, first, last, *ends, min(abs(low), abs(high)) > FAR and low * high > 0)


def _one_sided(inner: float, outer: float) -> tuple[float, float, float, float]:
    """Return the ends, the width and the shift, scaled by the inner bound's tail, which may be no double."""
    scale = float(log_ndtr(-inner))
    log_share = float(log_ndtr(-outer)) - scale
    return math.exp(log_share), math.exp(log_share), -math.expm1(log_share), -2.0 * scale


def in_tail(distance: Any, end: float, law: Law) -> Any:
    """Return the absolute values that words in a tail give. Scalars or arrays; compiled too.

    Args:
        distance: Words from the end of the range, with a fraction, float64.
        end: `below` or `above` of the law.
        law: The law.
    """
    y = law.shift + minus_two_log(end + law.width * (distance * (1.0 / WORD)))
    return far_tail(y) if law.far else tail(np.sqrt(y))
