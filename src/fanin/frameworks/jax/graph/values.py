"""What a variable of a jaxpr can be while the program is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Known:
    """A value that depends on neither inputs nor parameters: it is computed at once."""

    array: Any

    @property
    def shape(self) -> Shape:
        """Its shape."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> Any:
        """Its dtype."""
        return self.array.dtype

    def number(self) -> float | int | bool | None:
        """Return the one number that all of its elements are; None where they differ."""
        array = np.asarray(self.array)
        if not array.size:
            return None
        first = array[(0,) * array.ndim]
        # Views that were broadcast repeat the same memory, so that only the rest needs a look.
        seen = array[tuple(slice(1) if step == 0 else slice(None) for step in array.strides)]
        same = bool((seen == first).all()) or bool((seen != seen).all())
        if not same:
            return None
        # The number that somebody wrote, 1e-6, not what single precision made of it.
        return float(str(first)) if array.dtype.kind in "fV" else first.item()


@dataclass(frozen=True)
class Made:
    """The value of a node."""

    node: str
    shape: Shape
    dtype: Any


@dataclass(frozen=True)
class Spread:
    """A node's value, broadcast: a node of its own only where somebody needs all of it.

    Args:
        of: The value.
        shape: What it is broadcast to.
        axes: Where each of its axes goes.
    """

    of: Made
    shape: Shape
    axes: tuple[int, ...]

    @property
    def dtype(self) -> Any:
        """Its dtype."""
        return self.of.dtype


@dataclass(frozen=True)
class Drawn:
    """Random numbers, a random key, or what is computed from these alone.

    Args:
        shape: Its shape.
        dtype: Its dtype.
        keep: Of a mask, the chance that an element is not 0; None for any other.
        on: What an element of a mask is where it is not 0.
        low: Of uniform numbers, their lower bound; None for any other.
        high: Of uniform numbers, their upper bound.
        shared: Axes along which all elements are the same.
        mean: Of normal numbers, their mean.
        sd: Of normal numbers, their standard deviation; None for any other.
    """

    shape: Shape
    dtype: Any
    keep: float | None = None
    on: float = 1.0
    low: float | None = None
    high: float = 1.0
    shared: tuple[int, ...] = ()
    mean: float = 0.0
    sd: float | None = None

    @property
    def law(self) -> dict[str, Any]:
        """Their distribution, as the op "noise" has it; empty where nobody knows it."""
        if self.sd is not None:
            return {"kind": "normal", "mean": self.mean, "variance": self.sd**2}
        if self.low is not None and self.keep is None:
            return {
                "kind": "uniform",
                "mean": (self.low + self.high) / 2,
                "variance": (self.high - self.low) ** 2 / 12,
            }
        return {}


Value = Known | Made | Spread | Drawn
