"""A Keras model with a batch and a loss: a function of the values of its variables."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import keras
import numpy as np

from fanin.errors import FaninError, users_code
from fanin.frameworks.keras.checking import batch, losses
from fanin.frameworks.keras.checking.events import Tape
from fanin.frameworks.keras.checking.watch import Watch
from fanin.frameworks.keras.signal import mode_of, places_of
from fanin.frameworks.vitals.inputs import as_array
from fanin.rules.vitals import Loss

_LAST = re.compile(r"_?\d+$")


class Program:
    """Runs a model and its loss with values of its variables; the variables themselves do not change.

    Args:
        model: A built model.
        x: Its inputs.
        y: The targets; None for random ones.
        loss: As for `losses.terms_of`.
        seed: Of random targets and weights.

    Attributes:
        watch: What the last run took down.
        ends: The function that made the output in it.
        before: The function whose result that one was applied to.
        terms: Losses of the outputs.
        main: Which output is looked at.
        target: What that was compared with; None where nothing was.
        kind: What the loss is.
    """

    def __init__(self, model: keras.Model, x: Any, y: Any, loss: Any, seed: int) -> None:
        self.model, self.y, self.loss, self.seed = model, y, loss, seed
        self.args, self.inputs = batch.inputs_of(model, x)
        self.places = places_of(model)
        self.blocks = _blocks(model, {key: place.path for key, place in self.places.items()})
        self.trained = list(model.trainable_variables)
        self.fixed = list(model.non_trainable_variables)
        self.terms: list[losses.Term | None] = []
        self.main, self.ends, self.before = 0, "", ""
        self.kind: Loss = "none"
        self.target: Any = None
        self.watch: Watch

    @property
    def examples(self) -> int:
        """Size of the batch."""
        return next((one.shape[0] for one in self.inputs.values() if len(one.shape)), 1)

    def __call__(self, values: Sequence[Any], tape: Tape) -> tuple[Any, Any]:
        """Return the loss and the output.

        Args:
            values: Of the variables that are trained.
            tape: Where what is looked at goes.
        """
        own = [*zip(self.trained, values, strict=True), *((v, v.value) for v in self.fixed)]
        with keras.StatelessScope(state_mapping=own, collect_losses=True) as scope:
            weights = [(variable, scope.get_current_value(variable)) for variable, _ in own]
            self.watch = Watch(self.model, self.places, self.blocks, tape, weights)
            with users_code(f"{self.model.name} fails"), self.watch.watching():
                result = self.model(*self.args, **mode_of(self.model, self._trains()))
            outputs = batch.outputs_of(result, self.model)
            loss = self._lost(result, outputs, scope.losses)
        output = outputs[self.main]
        self.ends = self.watch.end(output)
        self.before = self.watch.before if self.ends else ""
        return loss, output

    def at_zero(self, shape: tuple[int, ...]) -> float | None:
        """Return what a loss that is not known is where its output is 0; None where nobody knows.

        Args:
            shape: Of the output.
        """
        known = [term for term in self.terms if term is not None]
        if len(known) != 1 or known[0].kind != "other":
            return None
        zeros = np.zeros(shape, np.float32)
        with contextlib.suppress(Exception):  # whatever a user's loss does with what it has not expected
            given = [keras.ops.convert_to_tensor(one) for one in (self.target, zeros)]
            return np.asarray(keras.ops.convert_to_numpy(losses.total(known, given[:1], given[1:]))).item()
        return None

    def _trains(self) -> bool:
        """Return whether a batch will do for training: statistics of one example are none."""
        layers = self.model._flatten_layers()
        return self.examples > 1 or not any(
            isinstance(one, keras.layers.BatchNormalization) for one in layers
        )

    def _lost(self, result: Any, outputs: Sequence[Any], added: Sequence[Any]) -> Any:
        names = batch.names_of(result, self.model, len(outputs))
        self.terms = losses.terms_of(self.model, self.loss, names)
        if not any(self.terms) and added:
            self.kind, ops = "other", cast(Any, keras.ops)
            return sum((ops.mean(one) for one in added[1:]), ops.mean(added[0]))
        if not any(self.terms):
            return self._weighted(outputs[0])
        known = [(n, term) for n, term in enumerate(self.terms) if term is not None]
        self.main, self.kind = known[0][0], known[0][1].kind
        targets = self._targets(names, outputs)
        self.target = targets[self.main]
        with users_code("The loss fails"):
            given = [None if one is None else keras.ops.convert_to_tensor(one) for one in targets]
            return losses.total(self.terms, given, outputs)

    def _targets(self, names: Sequence[str], outputs: Sequence[Any]) -> list[Any]:
        if self.y is None:
            random = np.random.default_rng(self.seed)
            return [
                None if term is None else losses.target_for(term, tuple(output.shape), random)
                for term, output in zip(self.terms, outputs, strict=True)
            ]
        y = keras.tree.map_structure(as_array, self.y)
        if isinstance(y, Mapping):
            return [y.get(name) for name in names]
        if isinstance(y, tuple | list) and len(y) == len(outputs):
            return list(y)
        if len(outputs) > 1 and sum(term is not None for term in self.terms) > 1:
            raise FaninError(
                f"There are {len(outputs)} outputs.", expected="targets for each, in a list or a mapping"
            )
        return [y] * len(outputs)

    def _weighted(self, output: Any) -> Any:
        """Return the outputs with standard normal weights, over their number: as a mean, of order 1."""
        weights = np.random.default_rng(self.seed).standard_normal(tuple(output.shape)).astype(np.float32)
        made = keras.ops.convert_to_tensor(weights, dtype=output.dtype)
        return keras.ops.sum(output * made) / output.shape[0]


def _blocks(model: keras.Model, paths: Mapping[int, str]) -> set[str]:
    """Return the paths of the user's layers of layers that follow each other."""
    found = [
        paths[id(layer)]
        for layer in model._flatten_layers(include_self=False)
        if any(True for _ in layer._flatten_layers(include_self=False, recursive=False)) and _is_users(layer)
    ]
    stems = Counter(_LAST.sub("", path) for path in found)
    return {path for path in found if stems[_LAST.sub("", path)] > 1}


def _is_users(layer: Any) -> bool:
    return isinstance(layer, keras.Model) or not type(layer).__module__.startswith("keras.")
