"""A Keras model's variables: parameters with their roles, and what stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras

from fanin.errors import FaninError
from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.keras.parameters import parameters
from fanin.frameworks.keras.roles import Places
from fanin.frameworks.roles import headed
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
    known, places = parameters(model), Places(model)
    found, kept = [], []
    for variable, name in zip(model.variables, canonical_paths(model), strict=True):
        parameter = replace(known[variable.path], name=name)
        reason = _why_kept(variable)
        if reason:
            kept.append(Kept(name, parameter.shape, reason))
        else:
            found.append(places.placed(parameter, variable))
    if not places.known:  # then the order in which layers were made is all there is
        found = list(headed(found, ordered=True))
    return Inventory(tuple(found), tuple(kept), f"{model.name} (keras)")


def _why_kept(variable: Any) -> str:
    if not keras.backend.is_float_dtype(str(variable.dtype)):
        return f"{variable.dtype}, no weight"
    return "" if variable.trainable else "not trainable"
