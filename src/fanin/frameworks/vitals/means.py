"""The mean of a known loss, whatever a user's loss makes of it: a sum, a part of several terms."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, xlogy

from fanin.frameworks.units import Array
from fanin.rules.vitals import Loss

_LEAST = 1e-7
"""Probabilities below this are taken for it, as Keras does."""


def mean_of(kind: Loss, output: Array, target: Array, axis: int = -1, *, logits: bool = True) -> float | None:
    """Return the mean of a loss over all that is compared; None for a loss that is not known.

    Args:
        kind: Of the loss.
        output: What is compared.
        target: Classes, shares of all classes, or numbers.
        axis: The axis of the classes.
        logits: Whether outputs are logits; else they are probabilities, or their logarithms.

    Example:
        >>> round(mean_of("cross_entropy", np.zeros((2, 4)), np.array([0, 3])), 4)
        1.3863
    """
    output, target = np.asarray(output, np.float64), np.asarray(target)
    if kind == "cross_entropy":
        return _of_classes(np.moveaxis(_logarithms(output, axis, logits=logits), axis, -1), target, axis)
    if kind not in ("binary_cross_entropy", "mse") or target.size != output.size:
        return None
    numbers = target.reshape(output.shape).astype(np.float64)
    if kind == "mse":
        return float(np.square(output - numbers).mean())
    if logits:
        return float((np.logaddexp(0, output) - numbers * output).mean())
    shares = np.clip(output, _LEAST, 1 - _LEAST)
    return float(-(xlogy(numbers, shares) + xlogy(1 - numbers, 1 - shares)).mean())


def _logarithms(output: Array, axis: int, *, logits: bool) -> Array:
    if logits:
        return log_softmax(output, axis)
    return output if output.max(initial=0.0) <= 0 else np.log(np.maximum(output, _LEAST))


def _of_classes(logs: Array, target: Array, axis: int) -> float | None:
    """Return the mean over labels, of which those that are no class are left out."""
    if target.size == logs.size:
        shares = np.moveaxis(target, axis, -1) if target.ndim == logs.ndim else target
        return float(-(shares.reshape(logs.shape) * logs).sum(-1).mean())
    if target.size * logs.shape[-1] != logs.size:
        return None
    rows, labels = logs.reshape(-1, logs.shape[-1]), target.reshape(-1).astype(np.int64)
    kept = (labels >= 0) & (labels < rows.shape[-1])
    return float(-rows[kept, labels[kept]].mean()) if kept.any() else None
