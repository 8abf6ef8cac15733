"""Arrays filled with random values, each a function of (key, index) alone.

Value i of a sequence is word i % 4 of Philox block i // 4, put through the inverse of the distribution
function. So a part of an array can be filled without the rest, by any number of threads, compiled or not,
with the same bits.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError, missing_extra
from fanin.random import plain
from fanin.random.law import Law, law
from fanin.random.philox import WORD
from fanin.random.threads import processors, share

COMPILED = "fanin.random.compiled"
_LOAD_FROM = 1 << 20
"""Values for which it pays to load compiled code, which takes half a second; loaded, it pays for any."""
_A_THREAD = 1 << 16
"""Fewer values than this are not worth a thread."""
_ROOM = 1 << 14
"""Values at a time on their way into an array that is not contiguous."""

Write = Callable[[NDArray[np.floating], int], None]
"""Fills a contiguous array of one axis from an index on."""


def fill_normal(
    out: NDArray[np.floating],
    key: int,
    mean: float = 0.0,
    sd: float = 1.0,
    *,
    start: int = 0,
    threads: int | None = None,
    compiled: bool | None = None,
) -> None:
    """Fill an array with normal values.

        value i = mean + sd Phi^-1((w_i + 1/2) / 2^32)

    The last 2^21 words of either tail take 32 more bits, so that the tails have every digit of float32. No
    value is further than 9.2 sd from the mean.

    Args:
        out: What to fill, in the order of its indices; float32 or float64, contiguous or not.
        key: The sequence's key, from `fanin.random.philox.key_of`.
        mean: Mean.
        sd: Standard deviation.
        start: Index of the first value in the key's sequence.
        threads: How many work on it, see `fill_truncated_normal`.
        compiled: Whether Numba does it, see `fill_truncated_normal`.

    Raises:
        FaninError: The array cannot be filled, or the distribution does not exist.

    Example:
        >>> out = np.empty((64, 64), np.float32)
        >>> fill_normal(out, key=1, mean=3.0)
        >>> bool(abs(out.mean() - 3) < 0.05)
        True

    References:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
    """
    fill_truncated_normal(
        out, key, mean, sd, -math.inf, math.inf, start=start, threads=threads, compiled=compiled
    )


def fill_truncated_normal(
    out: NDArray[np.floating],
    key: int,
    mean: float = 0.0,
    sd: float = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    *,
    start: int = 0,
    threads: int | None = None,
    compiled: bool | None = None,
) -> None:
    """Fill an array with normal values conditioned on mean + sd [low, high].

        value i = mean + sd Phi^-1(Phi(low) + (Phi(high) - Phi(low)) (w_i + 1/2) / 2^32)

    Args:
        out: What to fill, in the order of its indices; float32 or float64, contiguous or not.
        key: The sequence's key, from `fanin.random.philox.key_of`.
        mean: Mean before truncation.
        sd: Standard deviation before truncation.
        low: Lower bound in standard deviations, may be -inf; it may lie in either tail, however far.
        high: Upper bound in standard deviations, may be inf.
        start: Index of the first value in the key's sequence.
        threads: How many work on it; by default one a processor. The values do not depend on it.
        compiled: Whether Numba does it; by default where it is installed and `out` is large. The values do
            not depend on it.

    Raises:
        FaninError: The array cannot be filled, the distribution does not exist, or Numba is asked for and
            not installed.

    Example:
        >>> whole, part = np.empty(10, np.float32), np.empty(4, np.float32)
        >>> fill_truncated_normal(whole, key=1)
        >>> fill_truncated_normal(part, key=1, start=3)
        >>> bool((whole[3:7] == part).all() and abs(whole).max() <= 2)
        True
    """
    _check(out, key, start)
    arguments = normal_arguments(mean, sd, low, high, out.dtype)
    engine = _engine(out.size, compiled)
    _fill(out, start, threads, lambda part, at: engine.normal(part, key, at, *arguments))


def fill_uniform(
    out: NDArray[np.floating],
    key: int,
    low: float = 0.0,
    high: float = 1.0,
    *,
    start: int = 0,
    threads: int | None = None,
    compiled: bool | None = None,
) -> None:
    """Fill an array with uniform values.

        value i = low + (high - low) (w_i + 1/2) / 2^32

    Args:
        out: What to fill, in the order of its indices; float32 or float64, contiguous or not.
        key: The sequence's key, from `fanin.random.philox.key_of`.
        low: Least value.
        high: No value reaches it.
        start: Index of the first value in the key's sequence.
        threads: How many work on it, see `fill_truncated_normal`.
        compiled: Whether Numba does it, see `fill_truncated_normal`.

    Raises:
        FaninError: The array cannot be filled, or the distribution does not exist.

    Example:
        >>> out = np.empty(1000, np.float32)
        >>> fill_uniform(out, key=1, low=-1.0)
        >>> bool(out.min() >= -1 and out.max() < 1)
        True
    """
    _check(out, key, start)
    arguments = uniform_arguments(low, high, out.dtype)
    engine = _engine(out.size, compiled)
    _fill(out, start, threads, lambda part, at: engine.uniform(part, key, at, *arguments))


def normal_arguments(
    mean: float, sd: float, low: float, high: float, dtype: np.dtype
) -> tuple[Law, float, float, float, float]:
    """Return the law, mean, sd, least and greatest value that a filled array of a type has.

    Raises:
        FaninError: The distribution does not exist.
    """
    # Python's own numbers, so that nothing is computed in a shorter type, or compiled again for another.
    mean, sd, low, high = map(float, (mean, sd, low, high))
    _check_normal(mean, sd, low, high)
    least, greatest = (mean + sd * bound if math.isfinite(bound) else bound for bound in (low, high))
    return law(low, high), mean, sd, *_inward(least, greatest, dtype)


def uniform_arguments(low: float, high: float, dtype: np.dtype) -> tuple[float, float, float, float]:
    """Return the value of word 0, the step from word to word, the least and the greatest value.

    Raises:
        FaninError: The distribution does not exist.
    """
    low, high = float(low), float(high)
    if not -math.inf < low <= high < math.inf:
        raise FaninError(f"There is no uniform distribution on [{low}, {high}).", expected="low <= high")
    step = (high - low) / WORD
    return low + step / 2, step, *_inward(low, math.nextafter(high, -math.inf), dtype)


def _check_normal(mean: float, sd: float, low: float, high: float) -> None:
    if not (math.isfinite(mean) and 0 <= sd < math.inf):
        raise FaninError(f"There is no normal distribution of mean {mean} and sd {sd}.", expected="sd >= 0")
    if not low < high or max(low, -high) > 1e100:
        raise FaninError(
            f"A normal distribution cannot be truncated to [{low}, {high}] sd.",
            expected="low < high, not both beyond 1e100",
        )


def _inward(low: float, high: float, dtype: np.dtype) -> tuple[float, float]:
    """Return the least and the greatest number of a type in [low, high]; where there is none, the nearest."""
    with np.errstate(over="ignore"):
        least, greatest = dtype.type(low), dtype.type(high)
    if float(least) < low or np.isinf(least):
        least = np.nextafter(least, dtype.type(np.inf))
    if float(greatest) > high or np.isinf(greatest):
        greatest = np.nextafter(greatest, dtype.type(-np.inf))
    if least > greatest:
        least = greatest = dtype.type(low / 2 + high / 2)
    return float(least), float(greatest)


def _engine(size: int, compiled: bool | None) -> ModuleType:
    """Return `plain` or `compiled`; Numba is not imported for what NumPy does in the meantime."""
    if compiled is None:
        pays = size >= _LOAD_FROM or COMPILED in sys.modules
        return (pays and _compiled()) or plain
    engine = _compiled() if compiled else plain
    if engine is None:
        raise missing_extra("numba", "fast")
    return engine


@functools.cache
def _compiled() -> ModuleType | None:
    try:
        return importlib.import_module(COMPILED)
    except ImportError:  # Numba is not there, or not made for this NumPy
        return None


def _fill(out: NDArray[np.floating], start: int, threads: int | None, write: Write) -> None:
    """Fill an array by threads, each with a range of its indices."""
    write_range = _into(np.asarray(out), start, write)
    count = max(1, min(threads or processors(), out.size // _A_THREAD))
    edges = [out.size * part // count for part in range(count + 1)]
    share(lambda ends: write_range(*ends), itertools.pairwise(edges), count)


def _check(out: NDArray[np.floating], key: int, start: int) -> None:
    if out.dtype not in (np.float32, np.float64) or not out.flags.writeable:
        state = "" if out.flags.writeable else "read-only "
        raise FaninError(f"A {state}{out.dtype} array cannot be filled.", expected="float32 or float64")
    if not 0 <= key < 2**64:
        raise FaninError(f"{key} is no key of a sequence.", expected="0 <= key < 2^64, from key_of")
    if not 0 <= start <= 2**64 - out.size:
        raise FaninError(f"There is no index {start} in a sequence.", expected="0 <= index < 2^64")


def _into(out: NDArray[np.floating], start: int, write: Write) -> Callable[[int, int], None]:
    """Return what fills a range of an array's indices."""
    if out.flags.carray:
        flat = out.reshape(-1)
        return lambda begin, end: write(flat[begin:end], start + begin)

    def write_blocks(begin: int, end: int) -> None:
        places, room = out.flat, np.empty(_ROOM, out.dtype)
        for at in range(begin, end, _ROOM):
            part = room[: min(_ROOM, end - at)]
            write(part, start + at)
            places[at : at + len(part)] = part

    return write_blocks
