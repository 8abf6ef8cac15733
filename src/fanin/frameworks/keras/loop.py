"""Keras' own `fit`, run after run: for any backend, and for models that cannot be vectorized."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from fanin.frameworks.keras.build import Built
from fanin.frameworks.keras.optimizer import renew
from fanin.frameworks.keras.program import sample_weights
from fanin.frameworks.keras.weights import BuilderStart, Start
from fanin.frameworks.order import data_order
from fanin.frameworks.training import Choice, Data, Recipe, Run


class LoopTrainer:
    """Trains one run after the other with `fit`, in the seed's data order.

    Args:
        make: Returns a freshly built and compiled model for a choice.
        starts: Where the first weights come from, by choice key.
        data: What is trained and evaluated on.
        recipe: How.
        versions: What to write on each run.
    """

    def __init__(
        self,
        make: Callable[[Choice], Built],
        starts: Mapping[str, Start | BuilderStart],
        data: Data,
        recipe: Recipe,
        versions: Mapping[str, str],
    ) -> None:
        self.make = make
        self.starts = starts
        self.data = data
        self.recipe = recipe
        self.versions = versions

    def train(self, todo: Sequence[tuple[Choice, int]]) -> Iterator[list[Run]]:
        """Yield one finished run after the other."""
        for choice, seed in todo:
            began = time.perf_counter()
            curves = self.fit(choice, seed)
            yield [Run(choice.key, seed, curves, time.perf_counter() - began, self.versions)]

    def fit(self, choice: Choice, seed: int) -> dict[str, tuple[float, ...]]:
        """Return the history of one run."""
        built = self.make(choice)
        model = built.model
        for variable, value in zip(model.variables, self.starts[choice.key].values(seed), strict=True):
            variable.assign(value)
        if built.optimizer_copies:
            renew(model)
        examples = len(keras.tree.flatten(self.data.x_train)[0])
        size = self.recipe.batch_size
        history = model.fit(
            self._batches(seed, examples),
            epochs=self.recipe.epochs,
            steps_per_epoch=-(-examples // size),
            validation_data=None if self.data.x_test is None else (self.data.x_test, self.data.y_test),
            validation_batch_size=size,
            shuffle=False,  # the generator is in order already
            verbose=0,  # pyright: ignore[reportArgumentType]  (Keras' annotation says str)
        )
        return {
            name: tuple(float(v) for v in values)
            for name, values in history.history.items()
            if _scalar(values)
        }

    def _batches(self, seed: int, examples: int) -> Iterator[tuple[Any, ...]]:
        weights = sample_weights(self.data.y_train, self.recipe.class_weight)
        arrays = (self.data.x_train, self.data.y_train, *([] if weights is None else [weights]))
        for order in data_order(seed, examples, self.recipe.epochs):
            for first in range(0, examples, self.recipe.batch_size):
                rows = order[first : first + self.recipe.batch_size]
                yield tuple(
                    keras.tree.map_structure(lambda a, rows=rows: np.asarray(a)[rows], part)
                    for part in arrays
                )


def _scalar(values: Sequence[Any]) -> bool:
    return all(np.ndim(value) == 0 for value in values)
