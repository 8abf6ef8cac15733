"""An activation layer of Keras as a function that keeps float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from fanin.errors import FaninError


def layer_function(layer: Any) -> Callable[[Any], Any]:
    """Return what a layer computes, without the cast to its dtype that `layer(x)` begins with.

    A layer with one weight a unit (PReLU) is copied for a single unit.

    Args:
        layer: A Keras layer that is applied to each element.

    Raises:
        FaninError: It is no activation, or its units differ.
    """
    if layer.built and not layer.weights:
        return layer.call
    single = type(layer).from_config({**layer.get_config(), "name": None, **_dtype()})
    single.build((None, 1))
    if not single.weights:
        return single.call
    if any(tuple(weight.shape) != (1,) for weight in single.weights):
        raise FaninError(f"{type(layer).__name__} is no activation: its weights mix units.")
    if not layer.built:
        layer = single
    for mine, given in zip(single.weights, layer.weights, strict=True):
        values = np.unique(np.asarray(given))
        if len(values) != 1:
            raise FaninError(
                f"{type(layer).__name__} has {len(values)} values of {given.name}, one a unit.",
                expected="the same function for all units",
                fix="ask for each value by itself, as in leaky_relu(0.2)",
            )
        mine.assign(np.full(mine.shape, values[0]))
    return lambda x: keras.ops.reshape(single.call(keras.ops.reshape(x, (-1, 1))), (-1,))


def _dtype() -> dict[str, str]:
    # TensorFlow alone multiplies no float32 weight with a float64 input.
    return {"dtype": "float64"} if keras.backend.backend() == "tensorflow" else {}
