"""The fill in NumPy: the reference, and what runs where nothing is compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fanin.random.law import COARSE, Law, in_tail
from fanin.random.normal import center
from fanin.random.philox import TAILS, WORD, words

BLOCK = 1 << 15
"""Values at a time: enough that the calls cost little, few enough for a core's caches."""


def normal(
    out: NDArray[np.floating], key: int, start: int, law: Law, mean: float, sd: float, low: float, high: float
) -> None:
    """Fill an array with mean + sd times the law's values from index `start` on, clipped to [low, high].

    Args:
        out: One axis, float32 or float64.
        key: From `key_of`.
        start: Index of the first value.
        law: The standard normal between its bounds.
        mean: Mean before truncation.
        sd: Standard deviation before truncation.
        low: Least value.
        high: Greatest value.
    """
    for begin in range(0, len(out), BLOCK):
        part = out[begin : begin + BLOCK]
        first = _words(key, start + begin, len(part))
        values = standard(first, _second_words(key, start + begin, first), law)
        part[:] = np.clip(mean + sd * values, low, high)


def uniform(
    out: NDArray[np.floating], key: int, start: int, origin: float, step: float, low: float, high: float
) -> None:
    """Fill an array with origin + step times the words from index `start` on, clipped to [low, high]."""
    for begin in range(0, len(out), BLOCK):
        part = out[begin : begin + BLOCK]
        part[:] = np.clip(origin + step * _words(key, start + begin, len(part)), low, high)


def standard(first: NDArray[np.uint64], second: NDArray[np.uint64], law: Law) -> NDArray[np.float64]:
    """Return the standard normal values that words give under a law.

    Args:
        first: The values' words, (n,).
        second: Their second words, (n,); they count in the last 2^21 words of a tail.
        law: The standard normal between its bounds.

    Example:
        >>> from fanin.random.law import law
        >>> standard(np.array([0, 2**31]), np.array([0, 0]), law(-np.inf, np.inf)).round(3)
        array([-9.155,  0.   ])
    """
    q = law.origin + law.step * first
    values = center(q)
    for tail, distance, end, sign in (
        (first < law.first, first, law.below, -1.0),
        (first >= law.last, WORD - 1 - first, law.above, 1.0),
    ):
        near = distance[tail].astype(np.float64)
        fraction = np.where(near < COARSE, (second[tail] + 0.5) * (1.0 / WORD), 0.5)
        values[tail] = sign * in_tail(near + fraction, end, law)
    return values


def _words(key: int, start: int, count: int) -> NDArray[np.uint64]:
    blocks = np.arange(start // 4, (start + count + 3) // 4, dtype=np.uint64)
    return words(key, blocks).reshape(-1)[start % 4 : start % 4 + count]


def _second_words(key: int, start: int, first: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return second words where they count, 0 elsewhere."""
    second = np.zeros_like(first)
    coarse = np.flatnonzero((first < COARSE) | (first >= WORD - COARSE))
    if len(coarse):
        index = coarse.astype(np.uint64) + np.uint64(start)
        second[coarse] = words(key, index // 4, TAILS)[np.arange(len(index)), index % 4]
    return second
