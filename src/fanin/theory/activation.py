"""An activation as numbers see it: a float64 function, with its derivative where somebody knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Activation:
    """A function of one number, applied to each element.

    Args:
        name: What to call it.
        value: From float64 values to the activation's, of the same shape.
        derivative: From float64 values to the derivative's; None where only the values are known.
        source: Where the derivative comes from: "closed form", "torch", "jax" or "numerical".
        eps: Spacing of the floats that it computes with, near 1.

    Example:
        >>> Activation("square", np.square).value(np.array([3.0]))
        array([9.])
    """

    name: str
    value: Function = field(repr=False)
    derivative: Function | None = field(default=None, repr=False)
    source: str = "numerical"
    eps: float = float(np.finfo(np.float64).eps)
