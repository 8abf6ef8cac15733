"""What the gates of a recurrent layer begin with: a forget gate's bias of 1 beside zeros."""

from __future__ import annotations

import keras
import numpy as np

from fanin.frameworks.keras.parameters import parameters
from fanin.graph.signal import Law, Weight
from fanin.schemes.fitting import gates_axis


def laws_of_gates(model: keras.Model) -> dict[str, Weight]:
    """Return the laws of biases that hold those of several gates, by name, each gate by itself.

    Args:
        model: A built model.

    Example:
        >>> model = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(2)])
        >>> weights = laws_of_gates(model)
        >>> [law.mean for law in weights["sequential/lstm/lstm_cell/bias"].parts]
        [0.0, 1.0, 0.0, 0.0]
    """
    found = {}
    for variable, parameter in zip(model.variables, parameters(model), strict=True):
        if parameter.kind == "bias" and parameter.gates > 1:
            values, axis = np.asarray(keras.ops.convert_to_numpy(variable), np.float64), gates_axis(parameter)
            parts = tuple(_law(part) for part in np.split(values, parameter.gates, axis))
            found[parameter.name] = Weight(
                parameter.name, parameter.shape, _law(values), parts, axis, "tensor", variable.trainable
            )
    return found


def _law(values: np.ndarray) -> Law:
    return Law(float(np.mean(values)), float(np.var(values)))
