"""From what the user gives to a study: loaded, checked, ready to run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fanin.errors import FaninError
from fanin.experiments.choices import as_choices
from fanin.experiments.data import as_data, check_batch, check_labels
from fanin.experiments.loading import load
from fanin.experiments.study import Study
from fanin.experiments.tasks import Task, load_task
from fanin.frameworks.keras.backend import use_backend
from fanin.frameworks.training import Factory, Recipe
from fanin.sources import own_line


def as_study(
    builder: Any,
    schemes: Iterable[Any] | Mapping[str, Any],
    *,
    data: Any,
    recipe: Recipe,
    seeds: int | Sequence[int],
    backend: str,
) -> Study:
    """Return a study of what the user gives; see `fanin.compare` for the arguments.

    The backend is chosen first, before any file of the user's can import Keras.

    Raises:
        FaninError: Something about the input is wrong.
    """
    _check_counts(recipe)
    numbers = as_seeds(seeds)
    choices = as_choices(schemes)
    use_backend(backend)
    task = load_task(data) if isinstance(data, str) and ":" not in data else None
    factory = as_factory(builder, task)
    arrays = task.data if task else as_data(_loaded(data), name=data if isinstance(data, str) else "data")
    recipe = _completed(recipe, task)
    check_labels(arrays, recipe.loss)
    check_batch(arrays, recipe.batch_size)
    return Study(factory, choices, numbers, arrays, recipe, backend)


def as_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Return the seeds: 0 to n-1 for a number, or the ones given.

    Example:
        >>> as_seeds(3), as_seeds([7, 8])
        ((0, 1, 2), (7, 8))
    """
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(int(seed) for seed in seeds)
    if not numbers:
        raise FaninError(f"seeds is {seeds}.", expected="a positive number of seeds", fix="--seeds 20")
    if len(set(numbers)) < len(numbers):
        raise FaninError("A seed is given twice.", expected="different seeds")
    return numbers


def as_factory(builder: Any, task: Task | None) -> Factory:
    """Return the model builder: the user's, or a small network that fits the built-in data.

    Raises:
        FaninError: There is none, it is not callable, or it wants more than the initializer.
    """
    if builder is None and task is not None:
        from fanin.frameworks.keras.mlp import HIDDEN, mlp

        widths = (task.inputs, *HIDDEN, task.outputs)
        name = f"multilayer perceptron {'-'.join(map(str, widths))}"
        return Factory(mlp(task.inputs, task.outputs, task.activation), takes_initializer=True, name=name)
    if builder is None:
        raise FaninError("There is no model to train.", fix="fanin compare file.py:create_model --data ...")
    call = (
        load(builder, what="a function that returns a Keras model") if isinstance(builder, str) else builder
    )
    name = builder if isinstance(builder, str) else getattr(call, "__qualname__", type(call).__name__)
    if not callable(call) or _is_model(call):
        raise FaninError(
            f"{name} is {type(call).__name__}, not a model builder.",
            expected="a function that returns a new Keras model",
            fix="def create_model(initializer): ... return model",
        )
    return Factory(call, takes_initializer=_takes_initializer(call, name), name=name)


def _is_model(thing: Any) -> bool:
    return any(
        base.__name__ == "Model" and base.__module__.startswith("keras.") for base in type(thing).__mro__
    )


def _takes_initializer(call: Callable[..., Any], name: str) -> bool:
    parameters = list(inspect.signature(call).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    required_by_name = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(required) > 1 or required_by_name:
        names = ", ".join(p.name for p in [*required, *required_by_name])
        raise FaninError(
            f"{name} needs {names}.",
            expected="a builder that takes the initializer, or nothing",
            fix="give the other arguments defaults, or wrap it in a function",
        )
    # An optional first argument is the initializer when it says so.
    return bool(required) or (bool(positional) and "init" in positional[0].name)


def _loaded(data: Any) -> Any:
    source = load(data, what="a function that returns the data") if isinstance(data, str) else data
    if not callable(source):
        return source
    try:
        return source()
    except FaninError:
        raise
    except Exception as error:
        raise FaninError(
            f"Loading the data fails: {type(error).__name__}: {error}{own_line(error)}"
        ) from error


def _completed(recipe: Recipe, task: Task | None) -> Recipe:
    """Fill in the built-in data's loss and metrics where the user names none."""
    if task is None or recipe.loss is not None:
        return recipe
    return replace(recipe, loss=task.loss, metrics=recipe.metrics or task.metrics)


def _check_counts(recipe: Recipe) -> None:
    for name, value in (("epochs", recipe.epochs), ("batch_size", recipe.batch_size)):
        if value < 1:
            option = name.replace("_", "-")
            raise FaninError(f"{name} is {value}.", expected="a positive number", fix=f"--{option} 10")
