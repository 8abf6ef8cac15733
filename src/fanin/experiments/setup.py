"""From what the user gives to a study: loaded, checked, ready to run."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fanin.errors import FaninError, users_code
from fanin.experiments.builders import as_factory, required
from fanin.experiments.choices import as_choices, check_passable
from fanin.experiments.data import as_data, check_batch
from fanin.experiments.loading import load
from fanin.experiments.study import Study
from fanin.experiments.tasks import Task, load_task
from fanin.frameworks.keras.backend import use_backend
from fanin.frameworks.training import Recipe


def as_study(
    builder: Any,
    schemes: Iterable[Any] | Mapping[str, Any],
    *,
    data: Any,
    recipe: Recipe,
    seeds: int | Sequence[int],
    backend: str | None,
) -> Study:
    """Return a study of what the user gives; see `fanin.compare` for the arguments.

    The backend is chosen first, before any file of the user's can import Keras.

    Raises:
        FaninError: Something about the input is wrong.
    """
    recipe = _counted(recipe)
    numbers = as_seeds(seeds)
    choices = as_choices(schemes)
    backend = use_backend(backend)
    task = load_task(data) if _is_built_in(data) else None
    factory = as_factory(builder, task)
    check_passable(choices, factory)
    arrays = task.data if task else as_data(_loaded(data), name=data if isinstance(data, str) else "data")
    recipe = _completed(recipe, task, own=builder is not None)
    check_batch(arrays, recipe.batch_size)
    return Study(factory, choices, numbers, arrays, recipe, backend)


def as_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Return the seeds: 0 to n-1 for a number, or the ones given.

    Example:
        >>> as_seeds(3), as_seeds([7, 8])
        ((0, 1, 2), (7, 8))
    """
    if isinstance(seeds, Iterable) and not isinstance(seeds, str):
        numbers = tuple(_integer("A seed", seed) for seed in seeds)
    else:
        numbers = tuple(range(min(_integer("seeds", seeds), _MOST_SEEDS + 1)))
    if not numbers:
        raise FaninError(f"seeds is {seeds}.", expected="a positive number of seeds", fix="--seeds 20")
    if len(numbers) > _MOST_SEEDS:
        raise FaninError(f"{seeds} seeds are too many.", fix=f"--seeds {seeds}, for the one seed {seeds}")
    _check_seeds(numbers)
    return numbers


def _check_seeds(numbers: Sequence[int]) -> None:
    for seed, count in Counter(numbers).items():
        if not 0 <= seed < 2**63:  # what every store can hold
            raise FaninError(f"A seed is {seed}.", expected="an integer from 0, of 63 bits at most")
        if count > 1:
            raise FaninError(f"The seed {seed} is given twice.", expected="different seeds")


_MOST_SEEDS = 1_000_000


def _integer(what: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise FaninError(f"{what} is {value!r}.", expected="an integer") from None


def _is_built_in(data: Any) -> bool:
    return isinstance(data, str) and ":" not in data and not data.endswith(".py")


def _loaded(data: Any) -> Any:
    source = load(data, what="a function that returns the data") if isinstance(data, str) else data
    if not callable(source):
        return source
    needed = [p.name for p in required(source)]
    if needed:
        raise FaninError(f"The data function needs {', '.join(needed)}.", expected="one that needs nothing")
    with users_code("Loading the data fails"):
        return source()


def _completed(recipe: Recipe, task: Task | None, *, own: bool) -> Recipe:
    """Add what the built-in data suggest; fanin's own network takes it at once."""
    if task is None:
        return recipe
    if own:
        return replace(recipe, default_loss=task.loss, default_metrics=task.metrics)
    return replace(
        recipe,
        optimizer=recipe.optimizer or "adam",
        loss=recipe.loss or task.loss,
        metrics=recipe.metrics or (() if recipe.loss else task.metrics),
    )


def _counted(recipe: Recipe) -> Recipe:
    counts = {name: _integer(name, getattr(recipe, name)) for name in ("epochs", "batch_size")}
    for name, value in counts.items():
        if value < 1:
            option = f"--{name.replace('_', '-')} {getattr(Recipe, name)}"
            raise FaninError(f"{name} is {value}.", expected="a positive number", fix=option)
    return replace(recipe, **counts)
