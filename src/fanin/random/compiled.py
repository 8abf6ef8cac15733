"""The fill compiled by Numba: the formulas of `plain`, in blocks that stay in the first-level cache.

The formulas are the very functions that NumPy runs, and no floating-point rule is relaxed, so both give the
same bits. Numba keeps what it compiled beside this file, or in the user's cache where that cannot be
written.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numba.extending import overload, register_jitable
from numpy.typing import NDArray

from fanin.random import law as law_module
from fanin.random import normal as normal_module
from fanin.random import philox as philox_module
from fanin.random.law import COARSE, Law, in_tail
from fanin.random.normal import center, far_square, far_tail, minus_two_log, ratio, tail
from fanin.random.philox import TAILS, VALUES, WORD, philox

_BLOCK = 2048
_HALF, _LOW = np.uint64(32), np.uint64(WORD - 1)

# Divisions as IEEE 754 has them: Python's check for zero would keep loops from being vectorized.
_OPTIONS: dict[str, Any] = {"error_model": "numpy"}
for _formula in (ratio, center, minus_two_log, tail, far_square, far_tail, in_tail):
    register_jitable(**_OPTIONS)(_formula)
# LLVM vectorizes Philox only where Numba has put it in place of the call.
overload(philox, inline="always", jit_options={"error_model": "numpy"}, strict=False)(lambda *words: philox)
_inner = njit(**_OPTIONS)


def _kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a function that leaves Python's lock to others, and keep the result on disk if it can be kept.

    Numba looks whether this file has changed, not those that the formulas come from; so their contents are
    made a part of the kept file's name.
    """
    try:
        formulas = "".join(map(inspect.getsource, (philox_module, normal_module, law_module)))
        function.__qualname__ += "_" + hashlib.sha256(formulas.encode()).hexdigest()[:16]
        return njit(function, nogil=True, cache=True, **_OPTIONS)
    except (OSError, RuntimeError):  # there is no source, or no folder that can be written
        return njit(function, nogil=True, **_OPTIONS)


def normal(
    out: NDArray[np.floating], key: int, start: int, law: Law, mean: float, sd: float, low: float, high: float
) -> None:
    """Do what `plain.normal` does."""
    _normal(out, np.uint64(key), np.uint64(start), law, mean, sd, low, high)


def uniform(
    out: NDArray[np.floating], key: int, start: int, origin: float, step: float, low: float, high: float
) -> None:
    """Do what `plain.uniform` does."""
    _uniform(out, np.uint64(key), np.uint64(start), origin, step, low, high)


@_kernel
def _normal(
    out: Any, key: Any, start: Any, law: Law, mean: float, sd: float, low: float, high: float
) -> None:
    words, room = np.empty(_BLOCK + 4, np.uint32), np.empty(_BLOCK, np.float64)
    tails = np.empty(_BLOCK + 1, np.int32)
    for begin in range(0, len(out), _BLOCK):
        part, at = out[begin : begin + _BLOCK], start + np.uint64(begin)
        first = _words(key, at, len(part), words)
        for i in range(len(part)):
            value = mean + sd * center(law.origin + law.step * first[i])
            part[i] = min(max(value, low), high)
        if law.first > 0 or law.last < WORD:
            count = _find_tails(first, law, tails)
            _tail_values(first, tails[:count], key, at, law, room)
            for k in range(count):
                part[tails[k]] = min(max(mean + sd * room[k], low), high)


@_kernel
def _uniform(out: Any, key: Any, start: Any, origin: float, step: float, low: float, high: float) -> None:
    words = np.empty(_BLOCK + 4, np.uint32)
    for begin in range(0, len(out), _BLOCK):
        part = out[begin : begin + _BLOCK]
        first = _words(key, start + np.uint64(begin), len(part), words)
        for i in range(len(part)):
            part[i] = min(max(origin + step * first[i], low), high)


@_inner
def _words(key: Any, start: Any, count: int, room: Any) -> Any:
    """Return the words of some values, in a room for as many and four."""
    block, skip = start >> np.uint64(2), np.int64(start & np.uint64(3))
    for i in range((skip + count + 3) >> 2):
        c0, c1, c2, c3 = _block(key, block + np.uint64(i), VALUES)
        room[4 * i], room[4 * i + 1], room[4 * i + 2], room[4 * i + 3] = c0, c1, c2, c3
    return room[skip : skip + count]


@njit(inline="always", **_OPTIONS)
def _block(key: Any, block: Any, domain: Any) -> Any:
    return philox(block & _LOW, block >> _HALF, domain, np.uint64(0), key & _LOW, key >> _HALF)


@_inner
def _find_tails(words: Any, law: Law, places: Any) -> Any:
    """Write where words lie in a tail, in a room for as many and one; return how many do."""
    count, first, span = 0, np.uint32(law.first), np.uint32(law.last - law.first)
    for i in range(len(words)):  # without a branch, which would be guessed wrong at nearly every tail
        places[count] = i
        count += np.uint32(words[i] - first) >= span  # below `first` it wraps around, so one comparison does
    return count


@_inner
def _tail_values(words: Any, places: Any, key: Any, start: Any, law: Law, out: Any) -> None:
    """Write the values of the words at some places, all in a tail: first where in it, then what that is."""
    for k in range(len(places)):
        word = np.int64(words[places[k]])
        lower = word < law.first
        distance = word if lower else WORD - 1 - word
        position = distance + 0.5
        if distance < COARSE:
            index = start + np.uint64(places[k])
            second = _block(key, index >> np.uint64(2), TAILS)[np.int64(index & np.uint64(3))]
            position = distance + (np.float64(second) + 0.5) * (1.0 / WORD)
        out[k] = -position if lower else position
    for k in range(len(places)):
        end = law.below if out[k] < 0 else law.above
        out[k] = math.copysign(in_tail(abs(out[k]), end, law), out[k])
