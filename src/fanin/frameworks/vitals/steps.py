"""Tiny steps of an optimizer on copies, to tell zeros that unlock from those that are stuck."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fanin.frameworks.units import Array

STEPS = 3
_STEP = 1e-3
"""Adam's first step moves each value by as much as its learning rate."""

Gradients = Sequence[Array | None]


def shares_of_zeros(gradients: Gradients) -> list[float]:
    """Return the share of exact zeros of each gradient, 1 where there is none."""
    return [1.0 if one is None else 1 - int(np.count_nonzero(one)) / max(one.size, 1) for one in gradients]


def unlocked(
    values: Sequence[Array], first: Gradients, again: Callable[[Sequence[Array]], Gradients]
) -> list[tuple[float, ...]]:
    """Return the shares of exact zeros of each gradient at step 0 and after tiny steps, as many as it takes.

    Args:
        values: Of the parameters.
        first: Their gradients at step 0.
        again: Computes them anew from values.

    Example:
        >>> made = unlocked([np.ones(2)], [np.zeros(2)], lambda values: [np.zeros(2)])
        >>> made
        [(1.0, 1.0, 1.0, 1.0)]
    """
    found, now = [shares_of_zeros(first)], first
    for _ in range(STEPS):
        reached = [share for share, one in zip(found[-1], first, strict=True) if one is not None]
        if max(reached, default=0.0) < 1.0:
            break
        values = stepped(values, now)
        now = again(values)
        found.append(shares_of_zeros(now))
    return list(zip(*found, strict=True))


def stepped(values: Sequence[Array], gradients: Gradients) -> list[Array]:
    """Return values after a tiny step.

    Args:
        values: Of the parameters.
        gradients: Their gradients.
    """
    return [_stepped(one, gradient) for one, gradient in zip(values, gradients, strict=True)]


def _stepped(value: Array, gradient: Array | None) -> Array:
    if gradient is None:
        return value
    return (value - _STEP * np.sign(np.nan_to_num(gradient))).astype(value.dtype)
