"""Whether labels, a loss and a model's outputs fit: Keras would often train on regardless, on garbage."""

from __future__ import annotations

from typing import Any

import numpy as np

from fanin.errors import FaninError

Shape = tuple[int | None, ...]
"""Shape of one example; None for an axis of any length."""


def check_labels(y: np.ndarray, loss: Any, outputs: Shape | None = None) -> None:
    """Refuse labels that do not fit a loss that is known by name, or the model's outputs.

    Args:
        y: Labels, (examples, ...).
        loss: A loss of Keras or its name; others are not checked.
        outputs: Shape of the model's output for one example; None where it is not known.

    Raises:
        FaninError: What the labels are, what the loss wants, and what would fit.

    Example:
        >>> check_labels(np.array([0, 1, 4]), "sparse_categorical_crossentropy", (3,))
        Traceback (most recent call last):
        fanin.errors.FaninError: The classes go up to 4, but the model has 3 outputs.
          expected: an output for each class, 0 to 4
          fix: give the last layer 5 units
    """
    name = loss_name(loss)
    if name in _SPARSE:
        _check_classes(y, outputs)
        return
    if name in _CATEGORICAL:
        _check_one_hot(y)
    if name in _BINARY:
        _check_probabilities(y)
    if name in _CATEGORICAL or name in _BINARY or name in PAIRWISE:
        _check_shapes(y, outputs)


def loss_name(loss: Any) -> str:
    """Return a loss's name without case and underscores, whether it is a name, a function or an object.

    Example:
        >>> loss_name("binary_crossentropy")
        'binarycrossentropy'
    """
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return name.replace("_", "").lower()


def fits(one: Shape, other: Shape) -> bool:
    """Return whether shapes are equal but for axes of any length and one last axis of 1, which Keras mends.

    Example:
        >>> fits((), (1,)), fits((28, 28, 1), (None, 28)), fits((5,), (1,))
        (True, True, False)
    """
    if len(one) != len(other):
        one, other = (shape[:-1] if shape[-1:] == (1,) else shape for shape in (one, other))
    return len(one) == len(other) and all(a == b or None in (a, b) for a, b in zip(one, other, strict=True))


_SPARSE = {"sparsecategoricalcrossentropy"}
_CATEGORICAL = {"categoricalcrossentropy", "categoricalfocalcrossentropy"}
_BINARY = {"binarycrossentropy", "binaryfocalcrossentropy", "bce"}
PAIRWISE = {
    *("mse", "meansquarederror", "mae", "meanabsoluteerror", "mape", "meanabsolutepercentageerror"),
    *("msle", "meansquaredlogarithmicerror", "huber", "logcosh", "poisson", "hinge", "squaredhinge"),
}
"""Losses that compare label and output value by value, and broadcast what does not match."""


def _check_probabilities(y: np.ndarray) -> None:
    if y.min() >= 0 and y.max() <= 1:
        return
    values = np.unique(y)
    shown = ", ".join(f"{v:g}" for v in values[:5]) + (" and others" if len(values) > 5 else "")
    fix = "--loss sparse_categorical_crossentropy for classes" if _whole(y) else "--loss mse for numbers"
    raise FaninError(
        f"binary_crossentropy cannot learn the labels {shown}.",
        expected="labels from 0 to 1",
        fix="map -1 to 0" if set(values.tolist()) == {-1, 1} else fix,
    )


def _check_classes(y: np.ndarray, outputs: Shape | None) -> None:
    name = "sparse_categorical_crossentropy"
    one_hot = y.ndim > 1 and y.shape[-1] > 1 and (outputs is None or y.ndim == len(outputs) + 1)
    if one_hot and set(np.unique(y).tolist()) <= {0, 1}:
        raise FaninError(
            f"{name} got labels of shape {y.shape}.",
            expected="one class number an example",
            fix="--loss categorical_crossentropy for one-hot labels",
        )
    if not _whole(y) or y.min() < 0:
        fix = "number the classes from 0" if _whole(y) else "--loss mse for numbers"
        raise FaninError(f"{name} got labels that are not 0, 1, 2, ...", fix=fix)
    if outputs is None:
        return
    units = outputs[-1] if outputs else None
    if units is not None and y.max() >= units:
        top = int(y.max())
        raise FaninError(
            f"The classes go up to {top}, but the model has {_outputs(units)}.",
            expected=f"an output for each class, 0 to {top}",
            fix=f"give the last layer {top + 1} units"
            + (", or --loss binary_crossentropy" if (top, units) == (1, 1) else ""),
        )
    _check_shapes(y, outputs[:-1])


def _check_one_hot(y: np.ndarray) -> None:
    if y.ndim < 2 or y.shape[-1] == 1:
        raise FaninError(
            f"categorical_crossentropy got labels of shape {y.shape}.",
            expected="one-hot labels",
            fix="--loss sparse_categorical_crossentropy for class numbers",
        )


def _check_shapes(y: np.ndarray, outputs: Shape | None) -> None:
    wanted = y.shape[1:]
    if outputs is None or fits(wanted, outputs):
        return
    units = wanted[-1] if wanted else 1
    raise FaninError(
        f"For each example the model gives {_size(outputs)}, but the label is {_size(wanted)}.",
        expected="one shape",
        fix=f"give the last layer {units} unit{'s' * (units != 1)}, or change the labels",
    )


def _whole(y: np.ndarray) -> bool:
    return bool((y == np.floor(y)).all())


def _size(shape: Shape) -> str:
    first, *rest = shape or (1,)
    if rest:
        return f"an array of shape {shape}"
    return "one number" if first == 1 else f"{first} numbers"


def _outputs(count: int) -> str:
    return f"{count} output{'s' * (count != 1)}"
