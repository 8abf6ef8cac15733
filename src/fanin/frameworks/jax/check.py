"""Checking a JAX model: what every framework has a function for."""

from __future__ import annotations

import sys
from typing import Any

from fanin.errors import FaninError
from fanin.frameworks.given import Given
from fanin.frameworks.jax.checking.vitals import vitals as of_batch
from fanin.frameworks.jax.signals import seeded
from fanin.frameworks.signals import randomness
from fanin.rules.vitals import Vitals

__all__ = ["seeded", "vitals"]


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
    if not (loss is None or isinstance(loss, str) or callable(loss)):
        raise FaninError(f"{loss!r} is no loss.", expected="a function (outputs, targets), a name, or None")
    with randomness(sys.modules[__name__], seed):
        return of_batch(model, x, y, loss=loss, given=given, seed=seed, options=options)
