"""The vitals of a model of any framework: what it does at step 0 with one batch."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.find import framework_of, is_model
from fanin.frameworks.given import as_given
from fanin.rules.vitals import Vitals

_EXPECTED = (
    "a batch: arrays or tensors, in a tuple or a mapping for several; or inputs=, a shape such as (8, 20)"
)


def checked(
    model: Any,
    x: Any,
    y: Any,
    *,
    loss: Any,
    inputs: Any = None,
    seed: int = 0,
    seeds: int = 1,
    make: Callable[[], Any] | None = None,
    **options: Any,
) -> tuple[Vitals, float]:
    """Return what a model does at step 0, and the seconds it took.

    Args:
        model: The model; it is left as it was.
        x: Its inputs; None to draw what `inputs` describes.
        y: The targets.
        loss: What is minimized.
        inputs: A description of inputs.
        seed: Of what is drawn.
        seeds: How many networks to look at.
        make: Makes the model anew.
        **options: What its framework needs besides.

    Raises:
        FaninError: There is no batch, the model or the loss fails, or nothing makes other networks.
    """
    began = time.perf_counter()
    if (x is None) == (inputs is None):
        raise FaninError("There is no batch." if x is None else "There are two batches.", expected=_EXPECTED)
    if seeds < 1 or (seeds > 1 and make is None):
        raise FaninError(
            f"seeds is {seeds}, and nothing makes the model anew." if seeds > 1 else f"seeds is {seeds}.",
            expected="a positive number, above 1 with a function that makes the model in its place",
        )
    given = None if inputs is None else as_given(inputs)
    framework = _framework(model)

    def look(network: Any, number: int) -> Vitals:
        return framework.vitals(network, x, y, loss=loss, given=given, seed=number, **options)

    found = look(model, seed)
    if make is not None and seeds > 1:
        others = [is_dead(look(_made(framework, make, seed + n), seed + n)) for n in range(1, seeds)]
        found = replace(found, born_dead=float(np.mean([is_dead(found), *others])), seeds=seeds)
    return found, time.perf_counter() - began


def _made(framework: Any, make: Callable[[], Any], seed: int) -> Any:
    """Return another network of a seed; random states are put back."""
    from fanin.frameworks.signals import randomness

    with randomness(framework, seed):
        return make()


def is_dead(vitals: Vitals) -> bool:
    """Return whether no parameter of a network ever gets a gradient."""
    trained = [one for one in vitals.trained if len(one.shape) > 1]
    return bool(trained) and all(one.stuck for one in trained)


def _framework(model: Any) -> Any:
    name = framework_of(model) if is_model(model) else "jax"
    home = {"torch": "torch", "keras": "keras"}.get(name, "jax")
    return importlib.import_module(f"fanin.frameworks.{home}.check")
