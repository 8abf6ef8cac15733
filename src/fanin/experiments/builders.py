"""The model builder: the user's, by name or as a function, or fanin's own small network."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fanin.errors import FaninError
from fanin.experiments.loading import load
from fanin.experiments.tasks import Task
from fanin.frameworks.training import Factory


def as_factory(builder: Any, task: Task | None) -> Factory:
    """Return the model builder: the user's, or a small network that fits the built-in data.

    Raises:
        FaninError: There is none, it is not callable, or it wants more than the initializer.
    """
    if builder is None and task is not None:
        from fanin.frameworks.keras.mlp import HIDDEN, mlp

        widths = (task.inputs, *HIDDEN, task.outputs)
        name = f"multilayer perceptron {'-'.join(map(str, widths))}"
        return Factory(mlp(task.inputs, task.outputs, task.activation), takes_initializer=False, name=name)
    if builder is None:
        raise FaninError("There is no model to train.", fix="fanin compare file.py:create_model --data ...")
    call = (
        load(builder, what="a function that returns a Keras model") if isinstance(builder, str) else builder
    )
    name = builder if isinstance(builder, str) else _name(call)
    if not callable(call) or _is_model(call):
        raise FaninError(
            f"{name} is of type {type(call).__name__}, not a model builder.",
            expected="a function that returns a new Keras model at every call",
            fix="def create_model(initializer): ... return model",
        )
    return Factory(call, takes_initializer=_takes_initializer(call, name), name=name)


def _name(call: Any) -> str:
    call = call.func if isinstance(call, functools.partial) else call
    return getattr(call, "__qualname__", type(call).__name__)


def _is_model(thing: Any) -> bool:
    return any(
        base.__name__ == "Model" and base.__module__.startswith("keras.") for base in type(thing).__mro__
    )


def _takes_initializer(call: Callable[..., Any], name: str) -> bool:
    needed = required(call)
    if len(needed) > 1 or any(p.kind is p.KEYWORD_ONLY for p in needed):
        raise FaninError(
            f"{name} needs {', '.join(p.name for p in needed)}.",
            expected="a builder that takes the initializer, or nothing",
            fix="give the other arguments defaults, or wrap it in a function",
        )
    # An optional first argument is the initializer when it says so.
    return bool(needed) or any("init" in p.name for p in _parameters(call)[:1] if p.kind in _POSITIONAL)


def _parameters(call: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(call).parameters.values())
    except ValueError:  # some of Python's own have no signature
        return []


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def required(call: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a function that have no default.

    Example:
        >>> [p.name for p in required(lambda a, *rest, b=1, c: None)]
        ['a', 'c']
    """
    kinds = (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY)
    return [p for p in _parameters(call) if p.kind in kinds and p.default is p.empty]
