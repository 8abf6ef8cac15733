"""Inputs and targets from their arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import xlogy

from fanin.frameworks import units
from fanin.frameworks.units import Array
from fanin.rules.vitals import Input, Loss, Target

FEWEST = 4
"""Examples in which a feature has to leave its usual value for its scale to be known: of thousands some are
small in fewer by chance."""


def as_array(value: Any) -> Any:
    """Return what has values as an array of the types that models take; what has none, as it is."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if not hasattr(value, "__array__"):
        return value
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def input_of(name: str, value: Array, *, described: bool = False) -> Input:
    """Return what rules need to know of an input.

    Args:
        name: Its name, or its number.
        value: The batch first.
        described: Whether it is drawn, not the user's data.
    """
    spread, shape = units.spread(value), tuple(value.shape)
    if value.dtype.kind in "iub":
        same, tokens = float(_is_same(value)), value.dtype != np.uint8
        return Input(name, shape, spread, constant=same, tokens=tokens, described=described)
    features, constant = _features(value) if value.ndim == 2 else (None, float(_is_same(value)))
    zeros = units.zeros(value)
    return Input(name, shape, spread, features, constant, described=described, zeros=zeros)


def _features(value: Array) -> tuple[tuple[float, float] | None, float]:
    """Return the smallest and largest scale of features that vary, and the share of others."""
    if value.ndim != 2 or value.shape[0] < 2 or not np.isfinite(value).all():
        return None, 0.0
    sds = value.astype(np.float64).std(0)
    varied = sds > 1e-12 * sds.max(initial=0.0)
    if not varied.any():
        return None, 1.0
    scales = _scales(value[:, varied].astype(np.float64))
    constant = 1 - float(varied.mean())
    return ((float(scales.min()), float(scales.max())) if scales.size else None), constant


def _is_same(value: Array) -> bool:
    """Return whether all examples are the same."""
    return value.ndim > 0 and value.shape[0] > 1 and bool((value == value[:1]).all())


def _scales(features: Array) -> Array:
    """Return the scale of each feature: its standard deviation, or what it is where it is not at rest.

    Args:
        features: (examples, features), each of which varies.
    """
    away = features - np.median(features, 0)
    count = np.count_nonzero(away, axis=0)
    at_rest = 2 * count < len(features)
    lit = np.sqrt(np.square(away).sum(0) / np.maximum(count, 1))
    return np.where(at_rest, lit, features.std(0))[~at_rest | (count >= FEWEST)]


def target_of(kind: Loss, target: Array, output: tuple[int, ...], axis: int = -1) -> Target | None:
    """Return what targets are distributed by; None for a loss that is not known, unless it compares numbers.

    Args:
        kind: Of the loss.
        target: Classes, shares of all classes, or numbers.
        output: Shape of what they are compared with.
        axis: The axis of the classes there.

    Example:
        >>> target_of("cross_entropy", np.array([0, 1, 1, 0]), (4, 10)).classes
        10
    """
    numbers = kind == "mse" or (kind == "other" and target.dtype.kind == "f" and target.shape == output)
    if not target.size or not (numbers or kind in ("cross_entropy", "binary_cross_entropy")):
        return None
    values = target.astype(np.float64)
    same = bool(values.min() == values.max())
    if numbers:
        low, high = map(float, np.quantile(values, (0.05, 0.95)))
        variance, mean = float(values.var()), float(values.mean())
        return Target(variance=variance, mean=mean, low=low, high=high, constant=same)
    if kind == "binary_cross_entropy":
        share = float(np.clip(values.mean(), 0, 1))
        entropy = float(-(xlogy(share, share) + xlogy(1 - share, 1 - share)))
        low, high = float(values.min()), float(values.max())
        return Target(classes=2, entropy=entropy, low=low, high=high, constant=same)
    classes, of_all = output[axis] if output else 1, target.shape == output
    shares = _shares(values, classes, axis if of_all else None)
    low, high = (0.0, 0.0) if of_all else (float(values.min()), float(values.max()))
    return Target(
        classes=classes,
        entropy=abs(float(xlogy(shares, shares).sum())),
        low=low,
        high=high,
        constant=np.count_nonzero(shares) == 1,
        empty=float((values == 0).all(axis).mean()) if of_all else 0.0,
    )


def _shares(values: Array, classes: int, axis: int | None) -> Array:
    if axis is not None:
        return np.moveaxis(values, axis, -1).reshape(-1, classes).mean(0)
    kept = values[(values >= 0) & (values < classes)].astype(np.int64)
    return np.bincount(kept.reshape(-1), minlength=classes) / max(kept.size, 1)


def random_target(kind: str, output: tuple[int, ...], random: np.random.Generator, axis: int = -1) -> Array:
    """Return targets at random for a loss by its kind: classes, zeros and ones, or standard normal numbers.

    Args:
        kind: Of the loss.
        output: Shape of what they are compared with.
        random: Where they come from.
        axis: The axis of the classes there.
    """
    if kind == "cross_entropy":
        place = axis % len(output)
        return random.integers(0, output[place], (*output[:place], *output[place + 1 :]), np.int32)
    if kind == "binary_cross_entropy":
        return random.integers(0, 2, output).astype(np.float32)
    return random.standard_normal(output).astype(np.float32)
