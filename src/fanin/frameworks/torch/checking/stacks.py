"""Fans of matrices that lie in one tensor, by the products in which they take part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as f

_T = torch.Tensor
_PRODUCTS = frozenset((torch.matmul, torch.bmm, torch.mm, _T.matmul, _T.bmm, _T.mm, _T.__matmul__))


def fan_of(func: Any, args: Sequence[Any], place: int) -> int | None:
    """Return over how many numbers a product sums each of its results; None where that is not known.

    Args:
        func: The function.
        args: What it was called with.
        place: Which argument the weights are.
    """
    weight = args[place]
    if func is f.linear and place == 1:
        return weight.shape[-1]
    if func in _PRODUCTS and place < 2 and weight.ndim > 1:
        return weight.shape[-1 if place == 0 else -2]
    if func is torch.einsum and isinstance(args[0], str) and "..." not in args[0]:
        read, arrow, out = args[0].replace(" ", "").partition("->")
        letters = read.split(",")[place - 1]
        if arrow and len(letters) == weight.ndim:
            return math.prod(
                size for letter, size in zip(letters, weight.shape, strict=True) if letter not in out
            )
    return None
