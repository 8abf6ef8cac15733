"""A forward and a backward pass of a model on its backend, with the values of layers looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from fanin.frameworks.units import Array


@dataclass(frozen=True, eq=False)
class Passed:
    """What one pass through a model left.

    Args:
        loss: The loss.
        output: The output that it takes.
        values: Those that were taken.
        back: Gradients with respect to them; None where none arrives.
        kept: Values that were only kept.
        gradients: Of the variables that are trained; None where none arrives.
    """

    loss: float
    output: Array
    values: list[Array]
    back: list[Array | None]
    kept: list[Array]
    gradients: list[Array | None]


@dataclass
class Recorder:
    """A tape that leaves values as they are."""

    taken: list[Any] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)

    def take(self, value: Any) -> tuple[int, Any]:
        """Keep a value whose gradient is wanted; return its number, and what is used in its place."""
        self.taken.append(value)
        return len(self.taken) - 1, value

    def keep(self, value: Any) -> int:
        """Keep a value alone; return its number."""
        self.kept.append(value)
        return len(self.kept) - 1


Program = Callable[[Sequence[Any], Any], tuple[Any, Any]]
"""From the values of the variables that are trained and a tape to the loss and the output."""
Pass = Callable[[Sequence[Any]], Passed]
"""From the values of the variables that are trained to what a pass with these leaves."""


def passes_of(program: Program, trained: Sequence[Any]) -> Pass:
    """Return what runs a program on Keras' backend.

    Args:
        program: The model and its loss.
        trained: The variables that are trained.
    """
    name = keras.backend.backend()
    if name == "jax":
        from fanin.frameworks.keras.checking.on_jax import OnJax

        return OnJax(program, trained)
    if name == "torch":
        from fanin.frameworks.keras.checking.on_torch import run
    else:
        from fanin.frameworks.keras.checking.on_tensorflow import run
    return lambda values: run(program, trained, values)


def arrays(tensors: Sequence[Any]) -> list[Any]:
    """Return tensors as arrays; None stays None."""
    return [None if one is None else keras.ops.convert_to_numpy(one) for one in tensors]
