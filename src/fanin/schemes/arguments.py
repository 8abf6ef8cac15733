"""The arguments of schemes: numbers, texts and tuples of numbers, checked before anything is drawn."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from fanin.errors import FaninError


def bound(
    name: str, signature: inspect.Signature, positional: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all of a scheme's arguments by name, in the types that it wants.

    Args:
        name: The scheme's.
        signature: Its arguments, annotated with float, int, str, a Literal of texts, or tuple[float, ...].
        positional: What is given by place.
        keywords: What is given by name.

    Raises:
        FaninError: An argument is unknown, missing, or of another type.

    Example:
        >>> def normal(mean: float = 0.0, stddev: float = 0.05): ...
        >>> bound("normal", inspect.signature(normal, eval_str=True), [1], {})
        {'mean': 1.0, 'stddev': 0.05}
    """
    known = _shown_signature(signature)
    try:
        given = signature.bind(*positional, **keywords)
    except TypeError:
        raise FaninError(
            f"{name} does not take {_shown(positional, keywords)}.", expected=f"{name} takes {known}"
        ) from None
    for key, value in given.arguments.items():
        given.arguments[key] = _typed(name, key, value, signature.parameters[key].annotation, known)
    given.apply_defaults()
    return dict(given.arguments)


def _typed(name: str, key: str, value: Any, wanted: Any, known: str) -> Any:
    if get_origin(wanted) is Literal:
        return _one_of(name, key, value, get_args(wanted))
    if wanted is str:
        return _text(name, key, value)
    if get_origin(wanted) is tuple:
        values = value if isinstance(value, tuple | list) else (value,)
        return tuple(_number(name, key, each, known) for each in values)
    number = _number(name, key, value, known)
    if wanted is not int:
        return number
    if number != int(number):
        raise FaninError(f"{name} has {key}={value}.", expected="a whole number")
    return int(number)


def _one_of(name: str, key: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise FaninError(f"{name} has {key}={value!r}.", expected=f"one of {', '.join(choices)}")
    return value


def _text(name: str, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise FaninError(f"{name} has {key}={value!r}.", expected="a text")
    return value


def _number(name: str, key: str, value: Any, known: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaninError(f"{key}={value!r} is not a number.", expected=f"{name} takes {known}")
    # What float32 cannot hold would only show as diverged runs.
    if not abs(value) < 3e38:
        raise FaninError(f"{name} has {key}={value}.", expected="a finite number")
    return float(value)


def _shown_signature(signature: inspect.Signature) -> str:
    empty = inspect.Parameter.empty
    parts = (
        p.name if p.default is empty else f"{p.name}={p.default!r}" for p in signature.parameters.values()
    )
    return ", ".join(parts) or "no arguments"


def _shown(positional: Sequence[Any], keywords: Mapping[str, Any]) -> str:
    given = [*map(repr, positional), *(f"{key}={value!r}" for key, value in keywords.items())]
    return ", ".join(given) or "being called without arguments"
