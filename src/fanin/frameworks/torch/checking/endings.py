"""The last function of a model: what it makes, of what, and between which numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as f

_T = torch.Tensor
CLAMPS: dict[Any, tuple[str, ...]] = {
    **dict.fromkeys((torch.clamp, torch.clip, torch.clamp_, torch.clip_), ("min", "max")),
    **dict.fromkeys((_T.clamp, _T.clip, _T.clamp_, _T.clip_), ("min", "max")),
    **dict.fromkeys((torch.clamp_min, torch.clamp_min_, _T.clamp_min, _T.clamp_min_), ("min",)),
    **dict.fromkeys((torch.clamp_max, torch.clamp_max_, _T.clamp_max, _T.clamp_max_), ("max",)),
    f.hardtanh: ("min_val", "max_val"),
}
"""Functions that cut off what is outside of two numbers, and the names of these."""


@dataclass(frozen=True, eq=False)
class Ending:
    """The last function that was called.

    Args:
        value: What it has made.
        name: What it is called.
        before: The function whose result it was applied to; "" where that was something else.
        bounds: The smallest and the largest number that it can make, where its arguments say so.
    """

    value: torch.Tensor | None = None
    name: str = ""
    before: str = ""
    bounds: tuple[float, float] | None = None

    def makes(self, output: Any) -> bool:
        """Return whether an output is what the function has made, or that in another shape."""
        made = self.value
        if made is None or not isinstance(output, torch.Tensor):
            return False
        return output is made or (output.numel() == made.numel() and output.data_ptr() == made.data_ptr())

    def then(self, name: str, value: torch.Tensor, read: Any, bounds: Any = None) -> Ending:
        """Return the ending after one more function.

        Args:
            name: What it is called.
            value: What it has made.
            read: What it was applied to.
            bounds: As of the class.
        """
        return Ending(value, name, self.name if self.makes(read) else "", bounds)


def bounds_of(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[float, float] | None:
    """Return the smallest and the largest number that a function leaves; None where these are no numbers."""
    names = CLAMPS[function]
    usual = (-1.0, 1.0) if function is f.hardtanh else (None, None)
    given = (
        dict(zip(("min_val", "max_val"), usual, strict=True))
        | dict(zip(names, args[1:], strict=False))
        | kwargs
    )
    low = given.get("min", given.get("min_val"))
    high = given.get("max", given.get("max_val"))
    if any(isinstance(one, torch.Tensor) for one in (low, high)):
        return None
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)
