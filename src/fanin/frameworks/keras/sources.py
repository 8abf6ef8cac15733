"""What the values of a graph are: which layers keep them, make them, or end in an activation."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import keras

from fanin.errors import FaninError
from fanin.frameworks.keras.graph import Graph, Value
from fanin.theory.names import named

_layers = keras.layers
_PASSING = (
    _layers.Dropout, _layers.SpatialDropout1D, _layers.SpatialDropout2D, _layers.SpatialDropout3D,
    _layers.GaussianNoise, _layers.GaussianDropout, _layers.AlphaDropout, _layers.Identity, _layers.Masking,
    _layers.Flatten, _layers.Reshape, _layers.Permute, _layers.RepeatVector, _layers.Cropping1D,
    _layers.Cropping2D, _layers.Cropping3D, _layers.ZeroPadding1D, _layers.ZeroPadding2D,
    _layers.ZeroPadding3D, _layers.UpSampling1D, _layers.UpSampling2D, _layers.UpSampling3D,
    _layers.MaxPooling1D, _layers.MaxPooling2D, _layers.MaxPooling3D, _layers.AveragePooling1D,
    _layers.AveragePooling2D, _layers.AveragePooling3D, _layers.GlobalAveragePooling1D,
    _layers.GlobalAveragePooling2D, _layers.GlobalAveragePooling3D, _layers.GlobalMaxPooling1D,
    _layers.GlobalMaxPooling2D, _layers.GlobalMaxPooling3D,
)  # fmt: skip
_SCALING = (_layers.Normalization, _layers.Rescaling)
# Operations of keras.ops, by the names of their classes.
_PASSING_OPERATIONS = {
    "Reshape", "Transpose", "Squeeze", "ExpandDims", "GetItem", "Swapaxes", "Moveaxis", "Mean", "Max", "Cast",
    "Identity", "Flatten", "Ravel", "BroadcastTo", "Repeat", "Pad",
}  # fmt: skip
_ACTIVATIONS = {
    "Relu": "relu", "Relu6": "relu6", "Gelu": "gelu", "Silu": "silu", "Tanh": "tanh", "Sigmoid": "sigmoid",
    "Elu": "elu", "Selu": "selu", "Celu": "celu", "Softplus": "softplus", "Softsign": "softsign",
    "Sin": "sin", "LeakyRelu": "leaky_relu", "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
}  # fmt: skip


def inputs_of_layers(graph: Graph) -> Iterator[tuple[Any, str]]:
    """Yield (layer, what feeds it) for the layers whose inputs are known; layers of layers are included.

    It is an activation's name, "norm", "data", "sum", or a layer's type.

    Args:
        graph: The model's.
    """
    found: dict[Any, set[str]] = {}
    for value in graph.values:
        for layer, place in _readers(value):
            found.setdefault(layer, set()).add(source(value.inputs[place]))
    for layer, sources in found.items():
        if len(sources) == 1:
            yield layer, sources.pop()


def _readers(value: Value) -> Iterator[tuple[Any, int]]:
    """Yield the layers that read the inputs of a call, each with the place of what it reads."""
    operation = value.operation
    if isinstance(operation, ATTENTION) and len(value.inputs) == 2:
        places = {"query": 0, "key": 1, "value": 1}
        yield from ((getattr(operation, f"_{name}_dense"), place) for name, place in places.items())
    elif isinstance(operation, _layers.Layer) and len(value.inputs) == 1:
        yield operation, 0
        if isinstance(operation, _WRAPPERS):
            inside = operation._flatten_layers(include_self=False)
            yield from ((layer, 0) for layer in inside if not isinstance(layer, _layers.StackedRNNCells))


ATTENTION = (_layers.MultiHeadAttention, _layers.GroupQueryAttention)
_WRAPPERS = (_layers.RNN, _layers.Bidirectional, _layers.TimeDistributed)


def source(value: Value) -> str:
    """Return what a value is, looking through the layers that keep the distribution of its elements.

    Args:
        value: A value of a graph.
    """
    while value.operation is not None:
        operation = value.operation
        name = activation_name(operation)
        if name != "linear":
            return name if known(name) else ""
        if is_sum(operation):
            return "sum"
        if is_norm(operation):
            return "norm"
        if isinstance(operation, _SCALING):
            return "data" if source(value.inputs[0]) == "data" else ""
        if not passes(operation) or len(value.inputs) != 1:
            return type(operation).__name__ if isinstance(operation, _layers.Layer) else ""
        value = value.inputs[0]
    return "data"


def is_sum(operation: Any) -> bool:
    """Return whether a layer or an operation adds its inputs."""
    return type(operation).__name__ == "Add" and type(operation).__module__.startswith("keras.")


def is_norm(operation: Any) -> bool:
    """Return whether a layer normalizes its inputs."""
    return "Normalization" in type(operation).__name__ and not isinstance(operation, _SCALING)


def passes(operation: Any) -> bool:
    """Return whether what a layer or an operation makes is distributed as its inputs are."""
    if isinstance(operation, _layers.Layer):
        return isinstance(operation, _PASSING) or (
            isinstance(operation, _layers.Activation) and activation_name(operation) == "linear"
        )
    return type(operation).__name__ in _PASSING_OPERATIONS


def is_activation(operation: Any) -> bool:
    """Return whether a layer or an operation is an activation and nothing else."""
    alone = isinstance(operation, (_layers.Activation, _layers.ReLU, _layers.LeakyReLU, _layers.ELU))
    ours = not isinstance(operation, _layers.Layer)
    return (alone or ours) and activation_name(operation) != "linear"


@functools.cache
def known(name: str) -> bool:
    """Return whether a name is one of an activation that is applied to each element.

    Example:
        >>> known("silu"), known("softmax"), known("my_own")
        (True, False, False)
    """
    try:
        named(name)
    except FaninError:
        return False
    return True


def activation_name(layer: Any) -> str:
    """Return the name of the activation that a layer or an operation ends in, "linear" where there is none.

    Example:
        >>> activation_name(keras.layers.Dense(3, activation="relu")), activation_name(keras.layers.ELU())
        ('relu', 'elu')
    """
    if isinstance(layer, _layers.LeakyReLU):
        return f"leaky_relu({layer.negative_slope:g})"
    if isinstance(layer, _layers.ReLU):
        return _relu(layer)
    if isinstance(layer, _layers.ELU):
        return "elu" if layer.alpha == 1 else f"elu({layer.alpha:g})"
    if not isinstance(layer, _layers.Layer):
        return _operation_name(layer)
    function = getattr(layer, "activation", None)
    if function is keras.activations.leaky_relu:
        return "leaky_relu(0.2)"  # Keras' own default
    return getattr(function, "__name__", "") if callable(function) else "linear"


def _operation_name(operation: Any) -> str:
    name = _ACTIVATIONS.get(type(operation).__name__, "linear")
    if name == "gelu" and operation.approximate:
        return "gelu_tanh"
    if name == "leaky_relu":
        return f"leaky_relu({operation.negative_slope:g})"
    alpha = getattr(operation, "alpha", 1.0)
    return name if alpha == 1 or name not in ("elu", "celu") else f"{name}({alpha:g})"


def _relu(layer: Any) -> str:
    """Return the name of what a ReLU layer is by its arguments, empty where it has none."""
    bent = layer.threshold != 0, layer.max_value, float(layer.negative_slope)
    if bent == (False, None, layer.negative_slope) and layer.negative_slope:
        return f"leaky_relu({layer.negative_slope:g})"
    return {(False, None, 0.0): "relu", (False, 6, 0.0): "relu6"}.get(bent, "")
