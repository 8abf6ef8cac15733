"""The vitals of a model of any framework: what it does at step 0 with one batch."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fanin.errors import FaninError, users_code
from fanin.frameworks.find import framework_of, is_model
from fanin.frameworks.given import as_given
from fanin.frameworks.losses import check_order
from fanin.rules.vitals import Vitals, Width

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
        FaninError: There is no batch, the model or the loss fails, the loss takes what it compares in another
            order, or nothing makes other networks.
    """
    began = time.perf_counter()
    if (x is None) == (inputs is None):
        raise FaninError("There is no batch." if x is None else "There are two batches.", expected=_EXPECTED)
    if seeds < 1 or (seeds > 1 and make is None):
        raise FaninError(
            f"seeds is {seeds}, and nothing makes the model anew." if seeds > 1 else f"seeds is {seeds}.",
            expected="a positive number, above 1 with a function that makes the model in its place",
        )
    check_order(loss, _home(model))
    given = None if inputs is None else as_given(inputs)
    framework = _framework(model)

    def look(network: Any, number: int) -> Vitals:
        return framework.vitals(network, x, y, loss=loss, given=given, seed=number, **options)

    found = look(model, seed)
    if make is not None and seeds > 1:
        others = [is_dead(look(_made(framework, make, seed + n), seed + n)) for n in range(1, seeds)]
        found = replace(found, born_dead=float(np.mean([is_dead(found), *others])), seeds=seeds)
    return found, time.perf_counter() - began


def at_widths(
    make: Callable[[int], Any],
    widths: Sequence[int],
    x: Any,
    y: Any,
    *,
    loss: Any,
    inputs: Any = None,
    seed: int = 0,
    **options: Any,
) -> tuple[Width, ...]:
    """Return what models of several widths do.

    Args:
        make: From a width to a model.
        widths: At least two.
        x: As for `checked`.
        y: As for `checked`.
        loss: As for `checked`.
        inputs: As for `checked`.
        seed: As for `checked`.
        **options: As for `checked`.

    Raises:
        FaninError: There is one width only, or a model fails.
    """
    if len(set(widths)) < 2 or min(widths) < 1:
        raise FaninError(
            f"widths is {tuple(widths)}.", expected="at least two different ones, such as 64, 256"
        )
    given = None if inputs is None else as_given(inputs)
    found = []
    for width in widths:
        with users_code(f"The function that makes the model fails for width {width}"):
            model = make(width)
        of_width = _framework(model).of_width
        found.append(of_width(model, x, y, width, loss=loss, given=given, seed=seed, **options))
    return tuple(found)


def _made(framework: Any, make: Callable[[], Any], seed: int) -> Any:
    """Return another network of a seed; random states are put back."""
    from fanin.frameworks.randomness import randomness

    with randomness(framework, seed):
        return make()


def is_dead(vitals: Vitals) -> bool:
    """Return whether no parameter of a network ever gets a gradient."""
    trained = [one for one in vitals.trained if len(one.shape) > 1]
    return bool(trained) and all(one.stuck for one in trained)


def _framework(model: Any) -> Any:
    return importlib.import_module(f"fanin.frameworks.{_home(model)}.check")


def _home(model: Any) -> str:
    name = framework_of(model) if is_model(model) else "jax"
    return name if name in ("torch", "keras") else "jax"
