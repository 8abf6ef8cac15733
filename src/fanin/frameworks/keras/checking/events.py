"""What is taken down while a Keras model runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


class Tape(Protocol):
    """Keeps values of a pass."""

    def take(self, value: Any) -> tuple[int, Any]:
        """Keep a value whose gradient is wanted; return its number, and what is used in its place."""
        ...

    def keep(self, value: Any) -> int:
        """Keep a value alone; return its number."""
        ...


@dataclass(eq=False)
class Event:
    """A value that was taken down.

    Args:
        path: Path of its layer, "" for the model itself.
        layer: The layer.
        kind: As of `Layer`.
        taken: Its number among the values that were taken.
        axes: Axes of its units; None for those of the layer before.
        function: Of activations.
        kernel: Of products: a variable, or the number of a value that was kept.
        bases: Ids of the variables that the kernel is made of.
        kernel_axes: The axes of the units there.
        kept: Numbers of other values that were kept, by what they are: "read", "query", "key", "mask",
            "logits".
        options: Of attention: "causal" and "scale".
    """

    path: str
    layer: Any
    kind: str
    taken: int
    axes: tuple[int, ...] | None = None
    function: str = ""
    kernel: Any = None
    bases: frozenset[int] = frozenset()
    kernel_axes: tuple[int, ...] = ()
    kept: dict[str, int] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
