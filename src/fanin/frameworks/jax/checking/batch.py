"""A batch: what a JAX model is called with, and which of its outputs is the one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.given import Given
from fanin.frameworks.jax.graph.trace import Call
from fanin.frameworks.jax.signals import described
from fanin.frameworks.sampling import drawn
from fanin.frameworks.vitals.inputs import as_array
from fanin.graph.signal import SignalGraph

_OUTPUTS = ("logits", "out", "prediction_logits", "output", "last_hidden_state")


def arguments_of(x: Any, model: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return positional and named arguments from what a user has: arrays in tuples, lists or mappings.

    A mapping has named arguments where the model has arguments of these names, else it is one argument.

    Args:
        x: The inputs.
        model: What is called with them.
    """
    x = jax.tree.map(_moved, x)
    if isinstance(x, Mapping) and set(x) <= _names(model):
        return (), dict(x)
    if isinstance(x, tuple | list) and any(hasattr(one, "shape") for one in x):
        return tuple(x), {}
    return (x,), {}


def _moved(value: Any) -> Any:
    array = as_array(value)
    return jnp.asarray(array) if hasattr(array, "dtype") else value


def _names(model: Any) -> set[str]:
    call = model if inspect.isroutine(model) else type(model).__call__
    try:
        return set(inspect.signature(call).parameters)
    except (TypeError, ValueError):
        return set()


def descriptions(given: Given) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return descriptions of arguments that are to be drawn."""
    every = list(described(given))
    count = len(given.positional)
    return tuple(every[:count]), dict(zip(given.named, every[count:], strict=True))


def drawn_arguments(given: Given, call: Call, graph: SignalGraph, random: np.random.Generator) -> list[Any]:
    """Return values for a call's inputs.

    Args:
        given: What they are drawn from.
        call: The call.
        graph: What it computes, which tells how many tokens a table has.
        random: Where they come from.
    """
    rows = [graph[node.inputs[1]].shape[0] for node in graph if node.op == "embedding"]
    words = min(rows, default=100)
    return [
        jnp.asarray(drawn(one, random, channel=-1, vocabulary=words), array.dtype)
        for one, array in zip(given, call.arrays, strict=True)
    ]


def main_output(shapes: Any, name: str) -> int:
    """Return which leaf of the outputs a loss compares: logits where there are some, else the first.

    Args:
        shapes: Descriptions of the outputs in their structure.
        name: What the model is called.

    Raises:
        FaninError: None is an array of floating numbers.
    """
    leaves = jax.tree_util.tree_leaves_with_path(shapes)
    floating = [n for n, (_, leaf) in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    if not floating:
        raise FaninError(
            f"{name} returns no array of floating numbers.", expected="a model that returns what it computes"
        )
    wide = [n for n in floating if leaves[n][1].shape] or floating

    def rank(number: int) -> int:
        own = _key(leaves[number][0])
        return _OUTPUTS.index(own) if own in _OUTPUTS else len(_OUTPUTS)

    return min(wide, key=rank)


def _key(path: Sequence[Any]) -> str:
    return str(getattr(path[-1], "key", getattr(path[-1], "name", ""))) if path else ""
