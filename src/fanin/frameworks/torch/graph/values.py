"""What a traced operation reads and returns: a value of the signal graph, known or to be computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from fanin.graph.signal import Attribute

Number = float | int | bool


@dataclass(eq=False)
class Value:
    """A tensor of a traced model.

    Args:
        shape: Its shape.
        dtype: Type of its elements, as NumPy names it.
        node: Name of its node in the signal graph; "" for one that no node has needed yet.
        tensor: Its values, where they depend neither on the inputs nor on parameters.
        weight: Name of the parameter or buffer that it is, else "".
        data: Whether it depends on the inputs.
        keep: For noise that keeps a value with this probability (drop path): the probability; else None.
        noise: What the noise is where it keeps.
        mask: What it is found to be as a mask; None where nobody has looked.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    node: str = ""
    tensor: torch.Tensor | None = field(default=None, repr=False)
    weight: str = ""
    data: bool = False
    keep: float | None = None
    noise: float = 1.0
    mask: dict[str, Attribute] | None = None

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def constant(self) -> bool:
        """Whether its values are known."""
        return self.tensor is not None

    @property
    def learned(self) -> bool:
        """Whether it is computed from parameters alone."""
        return not self.data and not self.constant

    def axis(self, dim: int) -> int:
        """Return an axis that may be counted from the end, counted from the start."""
        return dim % self.ndim if self.ndim else 0


Operand = Value | Number


def dtype_name(dtype: torch.dtype) -> str:
    """Return a type's name as NumPy has it.

    Example:
        >>> dtype_name(torch.bfloat16)
        'bfloat16'
    """
    return str(dtype).removeprefix("torch.")


def number_of(value: object) -> Number | None:
    """Return the number that a value is known to be, None for anything else."""
    if isinstance(value, Value):
        single = value.tensor is not None and value.ndim == 0 and not value.tensor.is_meta
        return value.tensor.item() if single and value.tensor is not None else None
    return value if isinstance(value, Number) else None


def all_known(*arguments: Any) -> bool:
    """Return whether the values of all tensors in some arguments are known."""
    known = True

    def look(value: Value) -> None:
        nonlocal known
        known = known and value.constant

    mapped(arguments, look)
    return known


def tensors_in(*arguments: Any) -> list[Any]:
    """Return arguments with tensors in the place of their values."""
    return mapped(arguments, lambda value: value.tensor)


def mapped(argument: Any, change: Callable[[Value], Any]) -> Any:
    """Return an argument with each value in it changed."""
    if isinstance(argument, Value):
        return change(argument)
    if isinstance(argument, list | tuple):
        return [mapped(each, change) for each in argument]
    if isinstance(argument, dict):
        return {name: mapped(each, change) for name, each in argument.items()}
    return argument
