"""Operations whose results float16 cannot hold, though later ones may make finite numbers of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from fanin.frameworks.torch.checking import units
from fanin.frameworks.torch.graph.exporting import tensors_of


class Overflows:
    """Sees the first operation that makes an infinity of finite numbers in float16.

    Masks that are added to logits may add up to minus infinity: that is what they are for.

    Attributes:
        first: The path of the module that does it and the operation's name; None where there is none.
    """

    def __init__(self) -> None:
        self.first: tuple[str, str] | None = None

    def see(self, path: str, func: Any, args: Iterable[Any], result: Any) -> None:
        """Look at a call of a function.

        Args:
            path: Of the module that calls it.
            func: The function.
            args: What it was called with.
            result: What it has returned.
        """
        if self.first is not None or not isinstance(result, torch.Tensor) or result.dtype != torch.float16:
            return
        result, args = units.unwrapped(result), list(args)
        meant = any(isinstance(one, float) and math.isinf(one) for one in args)
        if meant or not bool(result.isposinf().any()):
            return
        read = (units.unwrapped(one) for one in tensors_of(args) if one.is_floating_point())
        if all(bool(one.isfinite().all()) for one in read):
            self.first = path, getattr(func, "__name__", "an operation")
