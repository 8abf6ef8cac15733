"""A study: what is trained, from which starts, on what data, and what is asked of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from fanin.experiments.data import data_sha256
from fanin.experiments.fingerprint import configuration, fingerprint
from fanin.frameworks.training import Choice, Data, Factory, Recipe, Run

_DRAWS = 2
"""Version of what a seed means: it rises when first weights, the order of the data or the noise change."""


@dataclass(frozen=True, eq=False)
class Study:
    """A frozen record of an experiment; its id is a hash of its content.

    Schemes and seeds are not part of the id: more of them extend the same study.

    Args:
        factory: The model builder.
        choices: The schemes.
        seeds: The seeds that every scheme is run with.
        data: What is trained and evaluated on.
        recipe: Epochs, batch size, optimizer, loss, metrics, class weights.
        backend: What computes it ("jax", ...).
    """

    factory: Factory
    choices: tuple[Choice, ...]
    seeds: tuple[int, ...]
    data: Data
    recipe: Recipe
    backend: str

    @cached_property
    def record(self) -> dict[str, Any]:
        """What identifies the study, as plain data."""
        recipe = self.recipe
        return {
            "builder": self.factory.name,
            "builder_fingerprint": fingerprint(self.factory.call),
            "takes_initializer": self.factory.takes_initializer,
            "data": self.data.name,
            "data_sha256": data_sha256(self.data),
            "epochs": recipe.epochs,
            "batch_size": recipe.batch_size,
            "optimizer": describe(recipe.optimizer),
            "loss": describe(recipe.loss),
            "metrics": [describe(metric) for metric in recipe.metrics],
            "class_weight": None if recipe.class_weight is None else describe(dict(recipe.class_weight)),
            "backend": self.backend,
            "draws": _DRAWS,
        }

    @cached_property
    def id(self) -> str:
        """The study's content hash, 16 hexadecimal digits."""
        identity = {key: value for key, value in self.record.items() if key not in ("builder", "data")}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    def labelled(self, runs: Iterable[Run]) -> list[Run]:
        """Return runs with the labels of their schemes in place of the store's keys."""
        labels = {choice.key: choice.label for choice in self.choices}
        return [replace(run, scheme=labels[run.scheme]) for run in runs]

    def to_dict(self) -> dict[str, Any]:
        """Return the record with the id, the schemes and the seeds."""
        return {
            "id": self.id,
            **self.record,
            "schemes": [choice.label for choice in self.choices],
            "seeds": list(self.seeds),
        }


def describe(item: Any) -> Any:
    """Return an optimizer, loss, metric or initializer as plain data that tells it from others.

    Example:
        >>> describe("adam")
        'adam'
    """
    if item is None or isinstance(item, str | int | float | bool):
        return item
    if isinstance(item, Mapping):
        return {str(key): describe(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [describe(value) for value in item]
    if callable(getattr(item, "get_config", None)):
        return {
            "class": type(item).__name__,
            "config": describe(configuration(item)),
            "code": fingerprint(item),
        }
    name = getattr(item, "__qualname__", type(item).__qualname__)
    return {"name": name, "code": fingerprint(item)}
