"""A Keras model with a batch and a loss: passes with values of its variables, and what is seen in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.given import Given
from fanin.frameworks.keras.checking import batch
from fanin.frameworks.keras.checking.attention import logits_of_attention
from fanin.frameworks.keras.checking.events import Event
from fanin.frameworks.keras.checking.gates import saturated
from fanin.frameworks.keras.checking.passes import Pass, Passed, passes_of
from fanin.frameworks.keras.checking.program import Program
from fanin.frameworks.keras.signals import channel_axis
from fanin.frameworks.units import Array
from fanin.frameworks.vitals.layers import Seen, axes_like, where_of


class Subject:
    """A model with a batch and a loss.

    Args:
        model: A built model.
        x: Its inputs, if they are given.
        y: The targets.
        loss: A loss of Keras, its name, several as `compile` takes them, or None: what the model was compiled
            with, else what its layers add, else the outputs with random weights.
        given: What inputs are drawn from, if they are not given.
        seed: Of what is drawn.

    Raises:
        FaninError: The model is not built.
    """

    def __init__(
        self, model: keras.Model, x: Any, y: Any, *, loss: Any, given: Given | None, seed: int
    ) -> None:
        x = x if given is None else batch.drawn_inputs(model, given, np.random.default_rng(seed))
        batch.check_built(model, x)
        self.model, self.program = model, Program(model, x, y, loss, seed)

    @property
    def values(self) -> list[Array]:
        """Values of the variables that are trained."""
        return [np.array(array_of(variable)) for variable in self.program.trained]

    @property
    def events(self) -> list[Event]:
        """What was taken down in a pass, of which there has been one."""
        return self.program.watch.events

    def run(self, values: Sequence[Array]) -> Passed:
        """Return what a pass leaves.

        Args:
            values: Of the variables that are trained.

        Raises:
            FaninError: It or the loss fails, or nothing depends on its variables.
        """
        passed = self._pass(values)
        if values and all(one is None for one in passed.gradients):
            raise FaninError(
                "The loss does not depend on the model's variables by operations that have a derivative.",
                expected="a loss that is made of the model's outputs",
            )
        return passed

    def seen(self, passed: Passed) -> Iterator[Seen]:
        """Yield what went through the layers in a pass."""
        before: list[Seen] = []
        top = type(self.model).__name__
        for event in self.events:
            value, read = passed.values[event.taken], event.kept.get("read")
            place = self.program.places.get(id(event.layer))
            seen = Seen(
                event.path or top,
                top if place is None else place.type,
                event.kind,
                value,
                passed.back[event.taken],
                event.axes or axes_like(value.shape, before, channel_axis(value.ndim)),
                event.function,
                None if read is None else passed.kept[read],
                _kernel(event, passed),
                event.kernel_axes,
                _attention(event, passed),
                where_of(type(event.layer)),
                _gates(event, passed),
            )
            before.append(seen)
            yield seen

    @cached_property
    def _pass(self) -> Pass:
        return passes_of(self.program, self.program.trained)


def array_of(variable: Any) -> Array:
    """Return the values of a variable."""
    return np.asarray(keras.ops.convert_to_numpy(variable.value))


def _kernel(event: Event, passed: Passed) -> Array | None:
    if event.kernel is None or isinstance(event.kernel, int):
        return None if event.kernel is None else passed.kept[event.kernel]
    return array_of(event.kernel)


def _gates(event: Event, passed: Passed) -> float | None:
    """Return the share of saturated values of a recurrent layer's gates."""
    if event.kind != "recurrent" or "read" not in event.kept:
        return None
    kept = {name: passed.kept[number] for name, number in event.kept.items()}
    begins = [kept[name] for name in sorted(kept) if name.startswith("state")]
    return saturated(event.layer, kept["read"], kept.get("mask"), begins)


def _attention(event: Event, passed: Passed) -> Array | None:
    if event.kind != "attention":
        return None
    if "logits" in event.kept:
        return passed.kept[event.kept["logits"]]
    arrays = {name: passed.kept[number] for name, number in event.kept.items()}
    return logits_of_attention(arrays.pop("query"), arrays.pop("key"), **arrays, **event.options)
