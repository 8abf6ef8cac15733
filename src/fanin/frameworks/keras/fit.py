"""Whether a model, its loss and the data fit: said before Keras says it, or trains on garbage instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.labels import Shape, check_labels, fits
from fanin.frameworks.training import Data


def check_inputs(model: keras.Model, data: Data) -> None:
    """Refuse examples of another shape than the model's one input."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or not isinstance(data.x_train, np.ndarray):
        return
    wanted, shape = _example(inputs[0]), data.x_train.shape[1:]
    if not fits(wanted, shape):
        raise FaninError(
            f"The model takes examples of shape {wanted}, but those of the data have {shape}.",
            expected="one shape",
            fix=f"keras.Input({shape})",
        )


def check_outputs(model: keras.Model, data: Data, outputs: Any) -> None:
    """Refuse labels that do not fit the loss that the model is compiled with, or its outputs.

    Args:
        model: A compiled model.
        data: Its labels are looked at.
        outputs: The model's symbolic outputs, or None where they are not known.
    """
    tensors = keras.tree.flatten(outputs)
    only = tensors[0] if len(tensors) == 1 and tensors[0] is not None else None
    shape = None if only is None else _example(only)
    for y in (data.y_train, data.y_test):
        for labels, loss in _pairs(y, model.loss):
            check_labels(labels, loss, shape)
    if shape and shape[-1] == 1 and _is_softmax(only):
        raise FaninError(
            "The model's output is softmax over one unit, which is 1 whatever the weights.",
            fix='Dense(1, activation="sigmoid"), or softmax over a unit for each class',
        )


def _example(tensor: Any) -> Shape:
    return tuple(tensor.shape[1:])


def _pairs(y: Any, loss: Any) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield labels with their loss where it is plain which is whose; the rest is left to Keras."""
    if isinstance(y, dict):
        for name, labels in y.items():
            yield labels, loss.get(name) if isinstance(loss, dict) else loss
    elif isinstance(y, list):
        losses = loss if isinstance(loss, list) and len(loss) == len(y) else [loss] * len(y)
        yield from zip(y, losses, strict=True)
    elif y is not None:
        yield y, loss


def _is_softmax(tensor: Any) -> bool:
    history = getattr(tensor, "_keras_history", None)
    layer = getattr(history, "operation", None)
    return (
        isinstance(layer, keras.layers.Softmax)
        or getattr(layer, "activation", None) is keras.activations.softmax
    )
