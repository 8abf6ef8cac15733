"""All inputs of a model, from whatever describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.inputs import EXAMPLES, Inputs

_EXPECTED = f"a shape such as (8, 3, 224, 224), {EXAMPLES}, an array, or fanin.Inputs"


@dataclass(frozen=True)
class Given:
    """All inputs of a model.

    Args:
        positional: Inputs by place.
        named: Inputs by name.
    """

    positional: tuple[Inputs, ...] = ()
    named: Mapping[str, Inputs] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Inputs]:
        return iter((*self.positional, *self.named.values()))

    def __str__(self) -> str:
        named = (f"{name}: {one}" for name, one in self.named.items())
        return "; ".join([*map(str, self.positional), *named])

    @property
    def examples(self) -> int:
        """Size of the batch."""
        return next(iter(self)).shape[0]


def as_given(inputs: Any) -> Given:
    """Return all inputs of a model, from whatever describes them.

    Args:
        inputs: An `Inputs`, a shape, a text for `Inputs.parse` (several joined by commas), an array or a
            description of one; a tuple or list of these, or a mapping from names to these.

    Raises:
        FaninError: There is none, or one cannot be read.

    Example:
        >>> print(as_given((8, 20)), "|", as_given({"ids": "8x16:tokens"}))
        8 × 20, N(0, 1) | ids: 8 × 16 tokens
    """
    if inputs is None or (isinstance(inputs, tuple | list | Mapping | str) and not len(inputs)):
        raise FaninError(
            "There is no input.",
            expected=_EXPECTED,
        )
    if isinstance(inputs, Mapping):
        return Given((), {str(name): _one(value) for name, value in inputs.items()})
    if isinstance(inputs, str):
        return Given(tuple(Inputs.parse(part) for part in inputs.split(",")))
    if isinstance(inputs, Sequence) and not all(isinstance(size, int | np.integer) for size in inputs):
        return Given(tuple(map(_one, inputs)))
    return Given((_one(inputs),))


def _one(value: Any) -> Inputs:
    if isinstance(value, Inputs):
        return value
    if isinstance(value, str):
        return Inputs.parse(value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return Inputs.of(value)
    if isinstance(value, tuple | list) and value:
        return Inputs(tuple(value))
    raise FaninError(
        f"{value!r} describes no input.",
        expected=_EXPECTED,
    )
