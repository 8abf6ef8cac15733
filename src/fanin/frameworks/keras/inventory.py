"""A Keras model's variables: parameters with their roles, and what stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras

from fanin.errors import FaninError
from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.keras.parameters import parameters
from fanin.graph.inventory import Inventory, Kept
from fanin.graph.parameter import Parameter

_PASSING = (
    keras.layers.Dropout, keras.layers.Flatten, keras.layers.Reshape, keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D, keras.layers.MaxPooling3D, keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D, keras.layers.AveragePooling3D, keras.layers.ZeroPadding2D,
    keras.layers.GlobalAveragePooling1D, keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D,
    keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.GaussianNoise,
)  # fmt: skip


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
    known = parameters(model)
    sources = {id(layer): source for layer, source in _sources(model)}
    fed = {v.path: sources.get(id(layer), "") for layer in model._flatten_layers() for v in layer.variables}
    found, kept = [], []
    for variable, name in zip(model.variables, canonical_paths(model), strict=True):
        parameter = replace(known[variable.path], name=name, inputs=fed.get(variable.path, ""))
        reason = _why_kept(variable)
        if reason:
            kept.append(Kept(name, parameter.shape, reason))
        else:
            found.append(parameter)
    return Inventory(tuple(_headed(found)), tuple(kept), f"{model.name} (keras)")


def _why_kept(variable: Any) -> str:
    if not keras.backend.is_float_dtype(str(variable.dtype)):
        return f"{variable.dtype}, no weight"
    return "" if variable.trainable else "not trainable"


def _headed(found: list[Parameter]) -> Iterator[Parameter]:
    """Yield the parameters, the last kernel with the role of the head."""
    last = next((p for p in reversed(found) if p.kind == "kernel" and p.layer == "Dense"), None)
    for parameter in found:
        yield replace(parameter, roles=("head",)) if parameter is last else parameter


def _sources(model: Any) -> Iterator[tuple[Any, str]]:
    """Yield (layer, what its inputs come from) for the layers whose inputs are known."""
    for layer in model._flatten_layers():
        nodes = getattr(layer, "_inbound_nodes", [])
        found = {_source(node.input_tensors[0]) for node in nodes if len(node.input_tensors) == 1}
        if len(found) == 1:
            yield layer, found.pop()


def _source(tensor: Any) -> str:
    """Return what a symbolic tensor's values are, looking through the layers that keep them."""
    while True:
        layer, node_index, _ = tensor._keras_history
        if isinstance(layer, keras.layers.InputLayer):
            return "data"
        name = activation_name(layer)
        if name != "linear":
            return name
        if isinstance(layer, keras.layers.Add):
            return "sum"
        if "Normalization" in type(layer).__name__:
            return "norm"
        if not isinstance(layer, _PASSING):
            return type(layer).__name__
        tensor = layer._inbound_nodes[node_index].input_tensors[0]


def activation_name(layer: Any) -> str:
    """Return the name of the activation that a layer ends in, "linear" where there is none.

    Example:
        >>> activation_name(keras.layers.Dense(3, activation="relu")), activation_name(keras.layers.ELU())
        ('relu', 'elu')
    """
    if isinstance(layer, keras.layers.LeakyReLU):
        return f"leaky_relu({layer.negative_slope:g})"
    if isinstance(layer, keras.layers.ReLU | keras.layers.ELU):
        return type(layer).__name__.lower()
    function = getattr(layer, "activation", None)
    return getattr(function, "__name__", "") if callable(function) else "linear"
