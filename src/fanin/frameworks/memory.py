"""A batch that does not fit into memory is cut, until it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from fanin.errors import FaninError
from fanin.frameworks.given import Given
from fanin.frameworks.inputs import Inputs
from fanin.rules.vitals import Vitals

_CLASSES = ("MemoryError", "OutOfMemoryError", "ResourceExhaustedError")
_TEXTS = ("RESOURCE_EXHAUSTED", "not enough memory", "can't allocate memory", "Out of memory")

Look = Callable[[Any, Any, Given | None], Vitals]
"""From inputs, targets and a description of inputs to what a model does with them."""


def within_memory(look: Look, x: Any, y: Any, given: Given | None, *, name: str) -> Vitals:
    """Return what a model does with as many examples as fit into memory: all, half of them, a quarter, ...

    Args:
        look: Looks at the model.
        x: Its inputs, if they are given.
        y: The targets.
        given: What inputs are drawn from, if they are not given.
        name: What the model is called.

    Raises:
        FaninError: One example is too much.
    """
    whole = size = given.examples if given is not None else _examples(x)
    while True:
        try:
            found = look(_cut(x, whole, size), _cut(y, whole, size), _described(given, whole, size))
        except Exception as error:
            if not is_full(error):
                raise
            if size < 2:
                raise FaninError(
                    f"{name} with one example does not fit into memory.",
                    fix="a machine with more memory, or a smaller model of the same kind",
                ) from error
            size //= 2
        else:
            note = f"out of memory: the batch was cut to {size}"
            return found if size == whole else replace(found, notes=(*found.notes, note))


def is_full(error: BaseException | None) -> bool:
    """Return whether an error comes from memory that is full, on any device of any framework.

    Example:
        >>> is_full(MemoryError()), is_full(ValueError("shapes do not fit"))
        (True, False)
    """
    if error is None:
        return False
    classes = {kind.__name__ for kind in type(error).__mro__}
    found = not classes.isdisjoint(_CLASSES) or any(text in str(error) for text in _TEXTS)
    return found or is_full(error.__cause__)


def _arrays(values: Any) -> Iterator[Any]:
    """Yield the arrays in tuples, lists and mappings."""
    if isinstance(values, Mapping):
        values = tuple(values.values())
    if isinstance(values, tuple | list):
        for one in values:
            yield from _arrays(one)
    elif len(getattr(values, "shape", ())):
        yield values


def _examples(x: Any) -> int:
    return next((int(one.shape[0]) for one in _arrays(x)), 1)


def _cut(values: Any, whole: int, size: int) -> Any:
    """Return values of the first examples: of arrays that have as many rows as there are examples."""
    if size == whole:
        return values
    if isinstance(values, Mapping):
        return {name: _cut(one, whole, size) for name, one in values.items()}
    if isinstance(values, tuple | list):
        parts = [_cut(one, whole, size) for one in values]
        return type(values)(*parts) if hasattr(values, "_fields") else type(values)(parts)
    shape: Any = getattr(values, "shape", ())
    return values[:size] if len(shape) and shape[0] == whole else values


def _described(given: Given | None, whole: int, size: int) -> Given | None:
    if given is None or size == whole:
        return given

    def fewer(one: Inputs) -> Inputs:
        if one.shape[:1] != (whole,):
            return one
        data = None if one.data is None else one.data[:size]
        return replace(one, shape=(size, *one.shape[1:]), data=data)

    return Given(tuple(map(fewer, given.positional)), {name: fewer(one) for name, one in given.named.items()})
