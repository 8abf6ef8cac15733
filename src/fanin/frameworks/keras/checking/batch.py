"""A batch: what a Keras model is called with, and what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.given import Given
from fanin.frameworks.keras.build import unnumbered
from fanin.frameworks.keras.signals import channel_axis
from fanin.frameworks.sampling import drawn
from fanin.frameworks.vitals.inputs import as_array

_WORDS = 100
"""Tokens that are drawn where nothing says how many a model knows: each knows these."""


def check_built(layer: keras.layers.Layer, x: Any = None) -> None:
    """Raise if a model's variables, or a layer's in it, have no values yet.

    Args:
        layer: The model, or a layer of it that is called.
        x: The model's inputs, for the message.

    Raises:
        FaninError: They have not.
    """
    if layer.built:
        return
    shapes = [(None, *one.shape[1:]) for one in keras.tree.flatten(x) if hasattr(one, "shape")]
    build = f"model.build({shapes[0]}), or " if len(shapes) == 1 else ""
    raise FaninError(
        f"{layer.name} is not built: its variables have no values yet.",
        fix=f"{build}call the model once on a batch, as in training",
    )


def inputs_of(model: keras.Model, x: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a model's call, and the arrays among them by name.

    Args:
        model: The model.
        x: Arrays or tensors, in a tuple, list or mapping for several.
    """
    x = keras.tree.map_structure(as_array, x)
    several = isinstance(x, tuple | list) and any(hasattr(one, "shape") for one in x)
    if not several:
        return (x,), _named(x, "0")
    own = getattr(model, "_inputs", None)
    if own is not None and len(own) == len(x):
        names = [unnumbered(tensor.name) for tensor in own]
        names = names if len(set(names)) == len(names) else [str(n) for n in range(len(names))]
        return (list(x),), dict(zip(names, x, strict=True))
    if len(_parameters(model)) >= len(x) > 1:
        return tuple(x), {str(n): one for n, one in enumerate(x)}
    return (x[0] if len(x) == 1 else x,), {str(n): one for n, one in enumerate(x)}


def _named(x: Any, name: str) -> dict[str, Any]:
    if isinstance(x, Mapping):
        return {str(key): value for key, value in x.items() if hasattr(value, "shape")}
    return {name: x}


def _parameters(model: keras.Model) -> list[str]:
    found = inspect.signature(model.call).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [one.name for one in found if one.kind in kinds and one.name not in ("training", "mask")]


def drawn_inputs(model: keras.Model, given: Given, random: np.random.Generator) -> Any:
    """Return inputs that are drawn.

    Args:
        model: The model, whose tables tell how many tokens there are.
        given: What describes them.
        random: Where they come from.
    """
    rows = [one.input_dim for one in model._flatten_layers() if isinstance(one, keras.layers.Embedding)]
    words = min(rows, default=_WORDS)

    def values(one: Any) -> Any:
        return drawn(one, random, channel=channel_axis(len(one.shape)), vocabulary=words)

    if given.named:
        return {name: values(one) for name, one in given.named.items()}
    return tuple(map(values, given.positional))


def outputs_of(result: Any, model: keras.Model) -> list[Any]:
    """Return the outputs with floating numbers.

    Raises:
        FaninError: There is none.
    """
    tensors = [one for one in keras.tree.flatten(result) if keras.ops.is_tensor(one)]
    found = [one for one in tensors if "float" in keras.backend.standardize_dtype(one.dtype)]
    if not found:
        raise FaninError(
            f"{model.name} returns no tensor of floating numbers.",
            expected="a model that returns what it computes",
        )
    return found


def names_of(result: Any, model: keras.Model, count: int) -> Sequence[str]:
    """Return the names of a model's outputs."""
    if isinstance(result, Mapping):
        return [str(key) for key in sorted(result)]  # as they are flattened
    own = list(getattr(model, "output_names", None) or ())
    return own if len(own) == count else [str(n) for n in range(count)]
