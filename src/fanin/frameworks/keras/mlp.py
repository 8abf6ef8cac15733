"""A small multilayer perceptron for the built-in data: the model of the original study."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

HIDDEN = (64, 32)


def mlp(inputs: int, outputs: int, activation: str | None) -> Callable[[Any], keras.Model]:
    """Return a builder of a ReLU network with hidden layers of 64 and 32 units.

    Args:
        inputs: Number of features.
        outputs: Number of output units.
        activation: Activation of the output ("sigmoid", "softmax", or None).

    Example:
        >>> mlp(20, 1, "sigmoid")().count_params()
        3457
    """

    def create_model(initializer: Any = "glorot_uniform") -> keras.Model:
        dense = keras.layers.Dense
        return keras.Sequential(
            [
                keras.Input((inputs,)),
                *(dense(units, activation="relu", kernel_initializer=initializer) for units in HIDDEN),
                dense(outputs, activation=activation, kernel_initializer=initializer),
            ]
        )

    return create_model
