"""An optimizer's first state: the same for all runs, or, for a few optimizers, a copy of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from fanin.frameworks.keras.build import Built


def first_states(built: Built, columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the first values of each of the optimizer's variables, with a leading axis of runs.

    Args:
        built: A built model.
        columns: First values of each of the model's variables, with a leading axis of runs.
    """
    runs = len(columns[0])
    if not built.optimizer_copies:
        values = [np.asarray(variable.value) for variable in built.model.optimizer.variables]
        return [np.broadcast_to(value, (runs, *value.shape)) for value in values]
    states = (_state(built.model, [column[run] for column in columns]) for run in range(runs))
    return [np.stack(column) for column in zip(*states, strict=True)]


def renew(model: keras.Model) -> None:
    """Give a model a new optimizer like its own, built from the weights that the model has now."""
    old: Any = model.optimizer
    model.optimizer = type(old).from_config(old.get_config())
    model.optimizer.build(model.trainable_variables)


def _state(model: keras.Model, values: Sequence[np.ndarray]) -> list[np.ndarray]:
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    renew(model)
    return [np.asarray(variable.value) for variable in model.optimizer.variables]
