"""From a builder and a scheme to a compiled model and the origin of each of its variables."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fanin.errors import FaninError, users_code
from fanin.frameworks.keras.fit import check_inputs, check_outputs
from fanin.frameworks.keras.names import known_name
from fanin.frameworks.keras.recorder import Record, recording
from fanin.frameworks.training import Data, Recipe
from fanin.sources import first_line


@dataclass(frozen=True, eq=False)
class Built:
    """A model as the builder made it, compiled for the recipe, with the births of its variables.

    Args:
        model: The compiled Keras model, with all of its state made.
        record: How each variable came to be.
        optimizer_copies: Whether the optimizer copied weights into its state (schedule-free AdamW does).
    """

    model: keras.Model
    record: Record
    optimizer_copies: bool

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
        check_inputs(model, data)
        outputs = _make_variables(model, data, recipe.batch_size)
        compile_model(model, recipe)
        check_outputs(model, data, outputs)
        _make_state(model, data, recipe.batch_size)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
    model.reset_metrics()
    return Built(model, record, any(record.of(v).assigned for v in model.optimizer.variables))


def _call(make: Callable[[], Any]) -> keras.Model:
    with users_code("The builder fails"):
        model = make()
    if not isinstance(model, keras.Model):
        raise FaninError(
            f"The builder returned {_shown(model)}, not a Keras model.",
            expected="a function that ends in `return model`",
        )
    return model


def _shown(thing: Any) -> str:
    return "nothing" if thing is None else f"a value of type {type(thing).__name__}"


def _make_variables(model: keras.Model, data: Data, size: int) -> Any:
    """Make the variables of a model that was not built yet, by calling it on symbols; return its outputs."""
    if model.built and all(layer.built for layer in model._flatten_layers()):
        return getattr(model, "outputs", None)
    symbols = keras.tree.map_structure(
        lambda a: keras.KerasTensor(a[:size].shape, str(a.dtype)), data.x_train
    )
    with fitting("The model does not accept the data"):
        return model(symbols)


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
    own = compiled_with(model) if model.compiled else _defaults(recipe)
    given = {
        "optimizer": known_name("optimizer", recipe.optimizer),
        "loss": known_name("loss", recipe.loss),
        "metrics": [known_name("metric", metric) for metric in recipe.metrics],
    }
    chosen = own | {name: value for name, value in given.items() if value}
    if chosen["loss"] is None:
        raise FaninError(
            "There is no loss.", fix="--loss binary_crossentropy, or compile the model in its builder"
        )
    with fitting("The model cannot be compiled"):
        model.compile(**chosen)


def compiled_with(model: Any) -> dict[str, Any]:
    """Return the arguments that the builder compiled its model with, as far as they matter to a run."""
    metrics, loss = model._compile_metrics, model._compile_loss
    return {
        "optimizer": model.optimizer,
        "loss": model.loss,
        "loss_weights": loss and loss._user_loss_weights,
        "metrics": metrics and metrics._user_metrics,
        "weighted_metrics": metrics and metrics._user_weighted_metrics,
        "run_eagerly": model.run_eagerly,
    }


def _defaults(recipe: Recipe) -> dict[str, Any]:
    metrics = [] if recipe.loss else list(recipe.default_metrics)
    return {"optimizer": "adam", "loss": recipe.default_loss, "metrics": metrics}


_NUMBERED = re.compile(r"_\d+$")


def canonical_paths(model: keras.Model) -> list[str]:
    """Return a name for each of the model's variables that does not count earlier models.

    Keras numbers unnamed layers through the whole process ("dense_7"); here they are numbered within
    the model, in the order of its variables, so the same model always has the same names.
    """
    known: dict[tuple[str, str], str] = {}
    used: set[str] = set()
    paths = ["/".join(_renamed(variable.path.split("/"), known, used)) for variable in model.variables]
    seen: set[str] = set()
    return [_unlike(path, seen) for path in paths]


def unnumbered(name: str) -> str:
    """Return a name without the number that Keras puts after those that nobody chose.

    Example:
        >>> unnumbered("dense_7"), unnumbered("dense")
        ('dense', 'dense')
    """
    return _NUMBERED.sub("", name)


def _unlike(path: str, seen: set[str]) -> str:
    """Return a path that was not seen: layers of two models inside of one may have the same names."""
    first, *rest = path.split("/")
    others = ("/".join([f"{first}_{number}", *rest]) for number in itertools.count(1))
    found = next(name for name in itertools.chain([path], others) if name not in seen)
    seen.add(found)
    return found


def _renamed(parts: list[str], known: dict[tuple[str, str], str], used: set[str]) -> Iterator[str]:
    parent = ""
    for part in parts:
        if (parent, part) not in known:
            base = unnumbered(part)
            names = itertools.chain([base], (f"{base}_{number}" for number in itertools.count(1)))
            known[parent, part] = next(name for name in names if f"{parent}/{name}" not in used)
            used.add(f"{parent}/{known[parent, part]}")
        name = known[parent, part]
        parent = f"{parent}/{name}"
        yield name
