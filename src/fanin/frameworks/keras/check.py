"""Checking a Keras model: what every framework has a function for."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

from fanin.frameworks.given import Given
from fanin.frameworks.keras.checking.subject import Subject
from fanin.frameworks.keras.checking.vitals import vitals_of
from fanin.frameworks.keras.signals import seeded
from fanin.frameworks.memory import within_memory
from fanin.frameworks.randomness import randomness
from fanin.frameworks.vitals.widths import width_of
from fanin.rules.vitals import Vitals, Width

__all__ = ["of_width", "seeded", "vitals"]


def vitals(model: keras.Model, x: Any, y: Any, *, loss: Any, given: Given | None, seed: int) -> Vitals:
    """Return what a model does at step 0; it is left as it was.

    Args:
        model: A built model.
        x: Its inputs, if they are given.
        y: The targets.
        loss: A loss of Keras, a function of (targets, outputs) as Keras has it, a name, or None for the one
            that the model was compiled with.
        given: What inputs are drawn from, if they are not given.
        seed: Of what is drawn.
    """

    def look(x: Any, y: Any, given: Given | None) -> Vitals:
        with randomness(sys.modules[__name__], seed), _seeds_kept():
            subject = Subject(model, x, y, loss=loss, given=given, seed=seed)
            return vitals_of(subject, described=given is not None)

    return within_memory(look, x, y, given, name=model.name)


def of_width(
    model: keras.Model, x: Any, y: Any, width: int, *, loss: Any, given: Given | None, seed: int
) -> Width:
    """Return what a model of a width does, and how far a step moves it.

    Args:
        model: As for `vitals`.
        x: As for `vitals`.
        y: As for `vitals`.
        width: Its width.
        loss: As for `vitals`.
        given: As for `vitals`.
        seed: As for `vitals`.
    """
    with randomness(sys.modules[__name__], seed), _seeds_kept():
        subject = Subject(model, x, y, loss=loss, given=given, seed=seed)

        def run(values: Any) -> Any:
            passed = subject.run(values)
            return subject.seen(passed), passed.gradients

        return width_of(width, subject.values, run)


@contextlib.contextmanager
def _seeds_kept() -> Iterator[None]:
    """Put back what Keras draws seeds from where none is given; it makes that when it first needs it."""
    before = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    try:
        yield
    finally:
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, before)
