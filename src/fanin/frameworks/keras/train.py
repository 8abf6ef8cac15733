"""The trainer for Keras builders: vectorized where it can be, a loop over `fit` where it cannot."""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from fanin.frameworks.keras.backend import current_backend
from fanin.frameworks.keras.build import Built, build
from fanin.frameworks.keras.logs import logged_names
from fanin.frameworks.keras.loop import LoopTrainer
from fanin.frameworks.keras.scheme import builder_argument, check_given, replacements
from fanin.frameworks.keras.shared import shared_initializers
from fanin.frameworks.keras.weights import BuilderStart, Start, start
from fanin.frameworks.training import Choice, Data, Factory, Recipe, Run


class KerasTrainer:
    """Trains a builder's models from many (scheme, seed) starts.

    Args:
        factory: The user's builder.
        data: What is trained and evaluated on.
        recipe: How.

    Attributes:
        notes: What the user should know about how the runs were made.
    """

    def __init__(self, factory: Factory, data: Data, recipe: Recipe) -> None:
        self.factory = factory
        self.data = data
        self.recipe = recipe
        self.notes: list[str] = []
        self._built: dict[str, Built] = {}
        self._starts: dict[str, Start | BuilderStart] = {}

    def train(self, todo: Sequence[tuple[Choice, int]]) -> Iterator[list[Run]]:
        """Yield finished runs, one architecture after the other."""
        for choice in dict.fromkeys(choice for choice, _ in todo):
            self._prepare(choice)
        if current_backend() != "jax":
            yield from self._loop(todo, f"Keras runs on {current_backend()}")
            return
        for group in self._by_architecture(todo):
            yield from self._train_together(group)

    def logged(self, choice: Choice) -> list[str]:
        """Return the names of what a run will log, in the order of `fit`'s history."""
        self._prepare(choice)
        names = logged_names(self._built[choice.key].model)
        return names + [f"val_{name}" for name in names if self.data.x_test is not None]

    def _prepare(self, choice: Choice) -> None:
        if choice.key in self._built:
            return
        # A builder without an argument makes one model, which every scheme initializes.
        same = None if self.factory.takes_initializer else next(iter(self._built.values()), None)
        built = same or self._build(choice, draw=current_backend() != "jax")
        chosen, notes = ({}, ()) if self.factory.takes_initializer else replacements(choice, built)
        for note in notes:
            self._note(f"{choice.label}: {note}")
        if built.overwritten:
            self._starts[choice.key] = BuilderStart(lambda: self._build(choice, draw=True), chosen)
            self._note("The builder sets weights itself, so it is called again for every seed.")
        else:
            self._starts[choice.key] = start(built, chosen)
        self._built[choice.key] = built

    def _build(self, choice: Choice, *, draw: bool) -> Built:
        if not self.factory.takes_initializer:
            return self._checked(build(self.factory.call, self.data, self.recipe, draw=draw), None)
        argument = builder_argument(choice)
        built = build(lambda: self.factory.call(argument), self.data, self.recipe, draw=draw)
        check_given(choice, built)
        return self._checked(built, argument)

    def _checked(self, built: Built, given: object) -> Built:
        for note in shared_initializers(built, given=given):
            self._note(note)
        return built

    def _by_architecture(self, todo: Sequence[tuple[Choice, int]]) -> list[list[tuple[Choice, int]]]:
        models = {id(built): key for key, built in self._built.items()}  # one key for each model
        signatures = {key: self._architecture(key) for key in models.values()}
        names = {key: signatures[models[id(built)]] for key, built in self._built.items()}
        groups: dict[str, list[tuple[Choice, int]]] = defaultdict(list)
        for choice, seed in todo:
            groups[names[choice.key]].append((choice, seed))
        return list(groups.values())

    def _architecture(self, key: str) -> str:
        from fanin.frameworks.keras.architecture import signature

        try:
            return signature(self._built[key].model, self.data, self.recipe.batch_size)
        except Exception:  # what JAX cannot trace is trained by itself, and says so there
            return key

    def _train_together(self, group: Sequence[tuple[Choice, int]]) -> Iterator[list[Run]]:
        from fanin.frameworks.keras.vectorized import NotVectorizable, VectorizedTrainer

        built = self._built[group[0][0].key]
        try:
            trainer = VectorizedTrainer(built, self._starts, self.data, self.recipe, _versions())
            trainer.trace(group)
        except NotVectorizable as error:
            yield from self._loop(group, str(error))
        else:
            yield from trainer.train()

    def _loop(self, todo: Sequence[tuple[Choice, int]], reason: str) -> Iterator[list[Run]]:
        self._note(f"Trained one run after the other with Keras' own fit: {reason}.")
        loop = LoopTrainer(
            lambda c: self._build(c, draw=True), self._starts, self.data, self.recipe, _versions()
        )
        yield from loop.train(todo)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _versions() -> dict[str, str]:
    backend = __import__(current_backend())
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": keras.__version__,
        current_backend(): backend.__version__,
    }
