"""From a builder and a scheme to a compiled model and the origin of each of its variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.keras.recorder import Record, recording
from fanin.frameworks.training import Data, Recipe
from fanin.sources import first_line, own_line


@dataclass(frozen=True, eq=False)
class Built:
    """A model as the builder made it, compiled for the recipe, with the births of its variables.

    Args:
        model: The compiled Keras model, with all of its state made.
        record: How each variable came to be.
    """

    model: keras.Model
    record: Record

    @property
    def overwritten(self) -> list[Any]:
        """Variables that the builder gave values of its own (loaded, adapted or scaled weights)."""
        return [v for v in self.model.variables if self.record.of(v).assigned]


def build(make: Callable[[], Any], data: Data, recipe: Recipe, *, draw: bool) -> Built:
    """Call a builder and make the model's whole state: weights, metrics and optimizer.

    Args:
        make: Returns the model.
        data: A batch of it makes the state of models that were not built.
        recipe: What to compile the model with, where it is not compiled already.
        draw: Whether initializers run; see `recording`.

    Raises:
        FaninError: The builder fails, returns no model, or its model does not fit the data.
    """
    with recording(draw=draw) as record:
        model = _call(make)
        _make_variables(model, data, recipe.batch_size)
        compile_model(model, recipe)
        _make_state(model, data, recipe.batch_size)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
    model.reset_metrics()
    return Built(model, record)


def _call(make: Callable[[], Any]) -> keras.Model:
    try:
        model = make()
    except FaninError:
        raise
    except Exception as error:
        raise FaninError(f"The builder fails: {type(error).__name__}: {error}{own_line(error)}") from error
    if not isinstance(model, keras.Model):
        raise FaninError(
            f"The builder returned {type(model).__name__}, not a Keras model.",
            expected="a function that ends in `return model`",
        )
    return model


def _make_variables(model: keras.Model, data: Data, size: int) -> None:
    """Make the variables of a model that was not built yet, by calling it on symbols."""
    if model.built and all(layer.built for layer in model._flatten_layers()):
        return
    symbols = keras.tree.map_structure(
        lambda a: keras.KerasTensor(a[:size].shape, str(a.dtype)), data.x_train
    )
    with fitting("The model does not accept the data"):
        model(symbols)


def _make_state(model: keras.Model, data: Data, size: int) -> None:
    """Make what is not made yet of a model's state, as `fit` does first: from the shapes of one batch."""
    x, y = (
        keras.tree.map_structure(lambda a: np.asarray(a[:size]), part)
        for part in (data.x_train, data.y_train)
    )
    with fitting("The model, its loss and the data do not fit together"):
        model._symbolic_build(data_batch=(x, y))


class fitting:  # noqa: N801  (reads as a verb where it is used)
    """Turn a framework's error inside the block into one clear message."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, FaninError):
            raise FaninError(f"{self.what}: {first_line(error)}") from error


def compile_model(model: keras.Model, recipe: Recipe) -> None:
    """Compile a model with the recipe's optimizer, loss and metrics, each a fresh copy.

    A model that the builder compiled keeps its own; the recipe's replace what they name.

    Raises:
        FaninError: There is no loss, or Keras does not know one of the names.
    """
    if model.compiled and not (recipe.optimizer or recipe.loss or recipe.metrics):
        return
    if recipe.loss is None:
        raise FaninError(
            "There is no loss.", fix="--loss binary_crossentropy, or compile the model in its builder"
        )
    try:
        model.compile(
            optimizer=_copy(recipe.optimizer or "adam", keras.optimizers),
            loss=_copy(recipe.loss, keras.losses),
            metrics=[_copy(metric, keras.metrics) for metric in recipe.metrics],
        )
    except ValueError as error:
        raise FaninError(first_line(error), fix="use a name that Keras knows, or an object") from error


def _copy(item: Any, module: Any) -> Any:
    """Return a fresh copy of an optimizer, loss or metric, which carry state; names are left to Keras."""
    if isinstance(item, str) or not hasattr(item, "get_config"):
        return item
    return module.deserialize(module.serialize(item))


_NUMBERED = re.compile(r"_\d+$")


def canonical_paths(model: keras.Model) -> list[str]:
    """Return a name for each of the model's variables that does not count earlier models.

    Keras numbers unnamed layers through the whole process ("dense_7"); here they are numbered within
    the model, in the order of its variables, so the same model always has the same names.
    """
    known: dict[tuple[str, str], str] = {}
    used: dict[str, int] = {}
    return ["/".join(_renamed(variable.path.split("/"), known, used)) for variable in model.variables]


def _renamed(parts: list[str], known: dict[tuple[str, str], str], used: dict[str, int]) -> Iterator[str]:
    parent = ""
    for part in parts:
        if (parent, part) not in known:
            base = _NUMBERED.sub("", part)
            count = used.get(f"{parent}/{base}", 0)
            used[f"{parent}/{base}"] = count + 1
            known[parent, part] = base if count == 0 else f"{base}_{count}"
        name = known[parent, part]
        parent = f"{parent}/{name}"
        yield name
