"""Where convolutions begin that pad as TensorFlow does."""

from __future__ import annotations

from collections.abc import Sequence


def same_pads(taps: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """Return the zeros before the first value under "same" padding, where strides divide the image's sizes.

    Images of n values get (n / s - 1) s + k - n = k - s zeros, the odd one behind them.

    Args:
        taps: Sizes k of the kernel.
        strides: Strides s along the same axes.

    Example:
        >>> same_pads((3, 3), (1, 2))
        (1, 0)
    """
    return tuple(max(k - s, 0) // 2 for k, s in zip(taps, strides, strict=True))
