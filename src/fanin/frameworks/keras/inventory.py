"""A Keras model's variables: parameters with their roles, and what stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.keras.parameters import parameters
from fanin.frameworks.keras.roles import Places
from fanin.frameworks.roles import headed, streamed
from fanin.graph.inventory import Inventory, Kept


def inventory(model: keras.Model) -> Inventory:
    """Return what a Keras model's state is made of, under names that do not count earlier models.

    Args:
        model: A built model.

    Raises:
        FaninError: The model is not built, so its variables have no shapes yet.
    """
    if not model.built or not all(layer.built for layer in model._flatten_layers()):
        raise FaninError(
            f"{model.name} is not built: its variables have no shapes yet.",
            fix="model.build((None, 20)), with the shape of a batch of inputs, or call it on one",
        )
    places = Places(model)
    found, kept = [], []
    for variable, parameter in zip(model.variables, parameters(model), strict=True):
        reason = _why_kept(variable)
        if reason:
            kept.append(Kept(parameter.name, parameter.shape, reason))
        else:
            found.append(replace(places.placed(parameter, variable), zero=_is_zero(variable)))
    # Where the calls are not known, the order in which layers were made tells the head.
    told = streamed(list(headed(found, ordered=not places.known)))
    return Inventory(tuple(told), tuple(kept), f"{model.name} (keras)")


def _is_zero(variable: Any) -> bool:
    # NumPy compiles nothing, where JAX would for every shape.
    return bool(variable.shape) and not np.any(np.asarray(keras.ops.convert_to_numpy(variable)))


def _why_kept(variable: Any) -> str:
    if not keras.backend.is_float_dtype(str(variable.dtype)):
        return f"{variable.dtype}, no weight"
    return "" if variable.trainable else "not trainable"
