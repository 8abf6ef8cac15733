"""Units of an array: their moments, whether they are dead, and which of them are twins.

NumPy for every framework that hands out arrays; PyTorch has the same on its tensors, where they are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, xlogy

from fanin.rules.vitals import Spread

Array = NDArray[Any]

PLACES = 32
"""Fewest places at which a unit that is always 0 may be dead, and not there by chance."""
_SAMPLE = 1 << 17
_PRIMES = (
    2, 3, 5, 7, 11, 17, 29, 53, 97, 193, 389, 769, 1543, 3079, 6151, 12289, 24593, 49157, 98317, 196613,
)  # fmt: skip
_EQUAL = 1e-5
_COPIED = 1e-4
_FEATURES = 1 << 13
_ROWS = 1 << 14
_NOTHING = -math.log(np.finfo(np.float32).eps)
_ENDS = {
    "tanh": (-0.97, 0.97),
    "sigmoid": (0.03, 0.97),
    "hardtanh": (-0.999, 0.999),
    "hardsigmoid": (1e-3, 0.999),
}
SATURATING = frozenset(_ENDS)
"""Functions that are flat at both ends."""


def as_floats(array: Array) -> Array:
    """Return an array as one that NumPy can count with: float32 where it is neither that nor float64."""
    wide = np.asarray(array)
    return wide if wide.dtype in (np.float32, np.float64) else wide.astype(np.float32)


def spread(array: Array, *, whole: bool = False) -> Spread:
    """Return the moments of an array, of those of its elements that are finite.

    Args:
        array: Any shape and type.
        whole: Whether to look at all elements; by default, of many some at even distances.

    Example:
        >>> spread(np.array([1.0, -3.0]))
        Spread(mean=-1.0, sd=2.0, largest=3.0, finite=True)
    """
    if not array.size:
        return Spread(0.0, 0.0, 0.0)
    few = as_floats(array if whole else sampled(array))
    with np.errstate(over="ignore", invalid="ignore"):
        mean, sd = float(few.mean()), float(few.std())
        finite = whole or math.isfinite(float(np.sum(array, dtype=np.float32)))
    if finite and math.isfinite(sd) and math.isfinite(mean):
        return Spread(mean, sd, max(abs(float(few.min())), abs(float(few.max()))))
    return _of_finite(as_floats(array))


def _of_finite(array: Array) -> Spread:
    kept = array[np.isfinite(array)].astype(np.float64)
    if not kept.size:
        return Spread(0.0, 0.0, math.inf, finite=False)
    finite = kept.size == array.size  # only too large to be squared
    return Spread(float(kept.mean()), float(kept.std()), float(np.abs(kept).max()), finite)


def by_unit(array: Array, axes: tuple[int, ...]) -> Array:
    """Return an array as (units, places).

    Args:
        array: Any shape.
        axes: The axes of the units: of heads and their features, both.

    Example:
        >>> by_unit(np.zeros((8, 5, 3, 4)), (2, 3)).shape
        (12, 40)
    """
    if array.ndim <= len(axes):
        return array.reshape(1, -1)
    moved = np.moveaxis(array, axes, range(len(axes)))
    return moved.reshape(math.prod(moved.shape[: len(axes)]), -1)


def sampled(array: Array) -> Array:
    """Return elements at even distances, where there are more than tell more.

    The distance is a prime, so that all units are among them.
    """
    flat = array.reshape(-1)
    wanted = flat.size // _SAMPLE
    return flat if wanted < 2 else flat[:: next(prime for prime in _PRIMES if prime >= wanted)]


def zeros(array: Array) -> float:
    """Return the share of exact zeros."""
    few = sampled(array)
    return 1 - int(np.count_nonzero(few)) / max(few.size, 1)


def saturated(array: Array, function: str) -> float:
    """Return the share of values at the flat ends of a function."""
    low, high = _ENDS[function]
    few = sampled(array)
    return float(np.mean((few < low) | (few > high)))


def dead(units: Array) -> float | None:
    """Return the share of units that are 0 at all places; None where places are too few to tell.

    Args:
        units: (units, places).
    """
    return 1 - float(np.mean(np.any(units != 0, axis=1))) if units.shape[1] >= PLACES else None


def fingerprints(units: Array, *, centred: bool = False) -> Array:
    """Return numbers that two units have in common if, and but for chance only if, they are equal.

    Args:
        units: (units, places).
        centred: Whether units are equal that differ by a constant, such as a bias.
    """
    wide = as_floats(units[:, :: max(units.shape[1] // (1 << 12), 1)])
    wide = wide - wide.mean(1, keepdims=True) if centred else wide
    steps = np.arange(1, wide.shape[1] + 1, dtype=wide.dtype)
    # Fixed directions without a pattern, which take no random numbers.
    directions = np.stack([np.sin(steps * 12.9898), np.cos(steps * 78.233)], axis=1).astype(wide.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.sqrt(np.square(wide).sum(1, keepdims=True))
        return np.concatenate([wide @ directions, norms], axis=1).astype(np.float64)


def twins(*prints: Array) -> NDArray[np.bool_]:
    """Return which units equal another one in all fingerprints, relative to their size: (units,) of bool.

    Args:
        *prints: Fingerprints of the same units, of their outputs, their gradients, ...
    """
    order = np.argsort(prints[0][:, 0], kind="stable")
    near = np.all([_near(one[order]) for one in prints], axis=0)
    found = np.zeros(len(order), bool)
    found[order[1:]] |= near
    found[order[:-1]] |= near
    return found


def copies(values: Array, gradient: Array) -> int:
    """Return how many slices along one axis are all equal, in values and in gradients that are not 0.

    Args:
        values: Of a parameter.
        gradient: With respect to it.

    Example:
        >>> copies(np.zeros((4, 3)), np.ones((4, 1)) * np.arange(3.0))
        4
    """
    for axis in range(values.ndim if values.ndim > 1 else 0):
        rows = by_unit(values, (axis,))
        if len(rows) < 2 or not (rows == rows[:1]).all():
            continue
        back = as_floats(by_unit(gradient, (axis,)))
        live = back[back.any(1)].astype(np.float64)
        near = np.linalg.norm(live - live[:1], axis=1) <= _COPIED * np.linalg.norm(live[:1])
        if len(live) > 1 and near.all():
            return len(live)
    return 0


def _near(prints: Array) -> NDArray[np.bool_]:
    """Return which fingerprints equal the next one."""
    sizes = np.maximum(prints[1:, -1], prints[:-1, -1])
    return np.abs(np.diff(prints, axis=0)).max(1, initial=0.0) <= _EQUAL * sizes


def similarity(array: Array) -> tuple[float | None, float | None]:
    """Return the mean cosine between two examples, and how much examples vary, over sqrt(E[x^2]).

    Args:
        array: The batch first.
    """
    if array.ndim < 2 or array.shape[0] < 2:
        return None, None
    rows = array.reshape(array.shape[0], -1)
    rows = as_floats(rows[:, :: max(rows.shape[1] // _FEATURES, 1)])
    with np.errstate(over="ignore", invalid="ignore"):
        scale = math.sqrt(float(np.square(rows).mean()))
    if not scale or not math.isfinite(scale):
        return None, None
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    number = len(rows)
    cosine = (float(np.square(unit.sum(0, dtype=np.float64)).sum()) - number) / (number * (number - 1))
    return cosine, math.sqrt(float(rows.var(0).mean())) / scale


def entropy(logits: Array) -> float | None:
    """Return the mean entropy of attention over that of equal weights, of queries that see several keys.

    Args:
        logits: (..., keys), what a softmax makes weights of.
    """
    rows = as_floats(logits).reshape(-1, logits.shape[-1])[:_ROWS]
    with np.errstate(invalid="ignore"):
        seen = (rows > _hidden(rows)).sum(1)
        weights = softmax(rows[seen > 1], -1)
    found = -xlogy(weights, weights).sum(1) / np.log(seen[seen > 1])
    found = found[np.isfinite(found)]
    return float(found.mean()) if found.size else None


def _hidden(logits: Array) -> float:
    """Return the number below which are the logits of keys that a mask hides; -inf where none are apart.

    Such logits are below all others by more than these spread, and by so much that their weights are less
    than can be added to 1; and they are further from 0. Large logits, whose weights are exactly 0 too, lie
    close.
    """
    few = sampled(logits)
    few = np.sort(few[np.isfinite(few)].astype(np.float64))
    if few.size < 2:
        return -math.inf
    low, high, top = few[:-1], few[1:], few[-1]
    apart = (high - low) / np.maximum(top - high, _NOTHING)
    place = int(apart.argmax())
    farther = -low[place] > max(abs(high[place]), abs(top))
    return float(low[place] + high[place]) / 2 if apart[place] > 1 and farther else -math.inf
