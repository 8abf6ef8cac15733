"""Layers in a fixed order, and the activations between them, as links between units that can be paired."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from fanin.frameworks.jax.recognize import activation_name
from fanin.frameworks.pairs import Layer, Link, link

Step = Layer[str] | str
"""A layer, or the name of what happens: "identity", "dropout", "flatten", an activation; empty if unknown."""

_EXAMPLE = (2, 3, 5)


def links_in(steps: Iterable[Step]) -> Iterator[Link[str]]:
    """Yield the links between layers that follow each other through one activation and nothing else.

    Args:
        steps: What happens to the values, in order.

    Example:
        >>> next(links_in([Layer("one", 3, 4), "relu", "dropout", Layer("other", 4, 2)])).activation
        'relu'
    """
    layer, name, flat = None, "", False
    for step in steps:
        if isinstance(step, Layer):
            found = link(layer, name, step, flat=flat)
            yield from (found,) if found else ()
            layer, name, flat = step, "", False
        elif step in ("dropout", "flatten"):
            layer = layer if name else None
            flat = flat or step == "flatten"
        elif step != "identity":
            layer = None if name or not step else layer
            name = step


def step_of(function: Callable[[Any], Any], *, batches: bool) -> str:
    """Return what a function does to arrays of several axes; empty where that is not known for sure.

    Args:
        function: Anything that can be called with an array.
        batches: Whether it is called with batches of examples, not with one example.

    Example:
        >>> step_of(jax.numpy.ravel, batches=False), step_of(jax.numpy.ravel, batches=True)
        ('flatten', '')
        >>> step_of(jax.nn.silu, batches=True), step_of(jax.numpy.transpose, batches=False)
        ('silu', '')
    """
    shape = (2, *_EXAMPLE) if batches else _EXAMPLE
    x = np.linspace(-3, 3, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    try:
        with jax.ensure_compile_time_eval():
            y, each = np.asarray(function(x)), np.asarray(function(x.reshape(-1)))
    except Exception:  # it may want other shapes, or more arguments
        return ""
    flat = x.reshape(2, -1) if batches else x.reshape(-1)
    if np.array_equal(y, flat):
        return "flatten"
    elementwise = y.shape == x.shape and np.allclose(y.reshape(-1), each, rtol=1e-5, atol=1e-6)
    return activation_name(function) if elementwise else ""
