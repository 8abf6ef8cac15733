"""Checking a JAX model: what every framework has a function for."""

from __future__ import annotations

import sys
from typing import Any

from fanin.errors import FaninError
from fanin.frameworks.find import is_model
from fanin.frameworks.given import Given
from fanin.frameworks.jax.checking.subject import Subject, subject_of
from fanin.frameworks.jax.checking.vitals import vitals_of
from fanin.frameworks.jax.graph.inventory import inventory as of_graph
from fanin.frameworks.jax.mending import parameters
from fanin.frameworks.jax.signals import seeded
from fanin.frameworks.memory import within_memory
from fanin.frameworks.randomness import randomness
from fanin.frameworks.vitals.declared import declared
from fanin.frameworks.vitals.widths import width_of
from fanin.graph.inventory import Inventory
from fanin.rules.vitals import Vitals, Width

__all__ = ["of_width", "seeded", "vitals"]

_OPTIONS = ("params", "start", "state", "vmap")


def vitals(
    model: Any, x: Any, y: Any, *, loss: Any, given: Given | None, seed: int, **options: Any
) -> Vitals:
    """Return what a model of Flax or Equinox, or a function, does at step 0; it is left as it was.

    Args:
        model: The model, or a function f(params, *inputs).
        x: Its inputs, if they are given.
        y: The targets.
        loss: A function of (outputs, targets), a name, or None.
        given: What inputs are drawn from, if they are not given.
        seed: Of what is drawn.
        **options: `params` of a function or a Linen module, `start`, `vmap` and `state` of Equinox.
    """

    def look(x: Any, y: Any, given: Given | None) -> Vitals:
        with randomness(sys.modules[__name__], seed):
            subject = _subject(model, x, y, loss, given, seed, options)
            found = vitals_of(subject, described=given is not None)

        def inventory() -> Inventory:
            if not is_model(model):
                return of_graph(subject.made.watching.graph)
            return parameters(model, (x,) if given is None else given, options)

        return declared(found, inventory, subject.named)

    return within_memory(look, x, y, given, name=getattr(model, "__name__", type(model).__name__))


def of_width(
    model: Any, x: Any, y: Any, width: int, *, loss: Any, given: Given | None, seed: int, **options: Any
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
        **options: As for `vitals`.
    """
    with randomness(sys.modules[__name__], seed):
        subject = _subject(model, x, y, loss, given, seed, options)

        def run(values: Any) -> Any:
            passed, gradients = subject.run(values)
            return subject.seen(passed), gradients

        return width_of(width, subject.values, run)


def _subject(
    model: Any, x: Any, y: Any, loss: Any, given: Given | None, seed: int, options: dict[str, Any]
) -> Subject:
    if unknown := set(options) - set(_OPTIONS):
        raise FaninError(f"There is no option {min(unknown)}.", expected=", ".join(_OPTIONS))
    if not (loss is None or isinstance(loss, str) or callable(loss)):
        raise FaninError(f"{loss!r} is no loss.", expected="a function (outputs, targets), a name, or None")
    return subject_of(model, x, y, loss=loss, given=given, seed=seed, options=options)
