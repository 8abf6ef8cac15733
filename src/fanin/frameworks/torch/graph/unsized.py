"""Tensors whose size depends on values: what is computed from them is what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fanin.frameworks.torch.graph.values import Value


@dataclass(eq=False)
class Unsized(Value):
    """A tensor without a node, as its shape is not known.

    Args:
        read: The tensors of known size that it depends on.
        place: The line that it comes from.
    """

    read: tuple[Value, ...] = ()
    place: str = ""


def values_in(argument: Any) -> Iterator[Value]:
    """Yield all values in an argument."""
    if isinstance(argument, Value):
        yield argument
    elif isinstance(argument, list | tuple):
        for each in argument:
            yield from values_in(each)


def sized(values: Sequence[Value]) -> list[Value]:
    """Return the tensors of known size that values depend on, each once."""
    found: dict[int, Value] = {}
    for value in values:
        for one in value.read if isinstance(value, Unsized) else (value,):
            found[id(one)] = one
    return list(found.values())


def has_size(tensor: torch.Tensor) -> bool:
    """Return whether a traced tensor has the same size whatever the values are."""
    return all(isinstance(size, int) for size in tensor.shape)
