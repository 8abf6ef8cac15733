r"""Gradients that a backward pass starts with: those of random targets, as predictions have them.

cross_entropy:         g = (softmax(x) - y) / N, y one of C classes at random
binary_cross_entropy:  g = (sigmoid(x) - y) / N, y 0 or 1 at random
mse:                   g = 2 (x - y) / N, y standard normal
none:                  g standard normal
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from fanin.errors import FaninError

LOSSES = ("cross_entropy", "binary_cross_entropy", "mse")


def check_loss(loss: str | None) -> None:
    """Refuse what is no loss of these.

    Raises:
        FaninError: It is none.
    """
    if loss is not None and loss not in LOSSES:
        raise FaninError(f"{loss!r} is no loss here.", expected=f"one of {', '.join(LOSSES)}, or none")


def in_words(loss: str | None) -> str:
    """Return what the gradients are of.

    Example:
        >>> in_words("mse"), in_words(None)
        ('the mse of random targets', 'standard normal at the outputs')
    """
    return f"the {loss} of random targets" if loss else "standard normal at the outputs"


def cotangent(
    loss: str | None, output: NDArray, random: np.random.Generator, *, classes: int = -1
) -> NDArray[np.float64]:
    """Return the gradient with respect to an output.

    Args:
        loss: One of `LOSSES`, or None.
        output: The output; a single number is a loss already, whose gradient is 1.
        random: Where targets come from.
        classes: The axis of the classes.

    Example:
        >>> sorted(cotangent("cross_entropy", np.zeros((1, 4)), np.random.default_rng(0)).tolist()[0])
        [-0.75, 0.25, 0.25, 0.25]
    """
    x = np.asarray(output, float)
    if not x.ndim:
        return np.ones(())
    if loss is None:
        return random.standard_normal(x.shape)
    if loss == "cross_entropy":
        x = np.moveaxis(x, classes, -1)
        targets = np.eye(x.shape[-1])[random.integers(0, x.shape[-1], x.shape[:-1])]
        found = (softmax(x, axis=-1) - targets) / math.prod(x.shape[:-1])
        return np.moveaxis(found, -1, classes)
    if loss == "binary_cross_entropy":
        return (expit(x) - random.integers(0, 2, x.shape)) / x.size
    return 2 * (x - random.standard_normal(x.shape)) / x.size
