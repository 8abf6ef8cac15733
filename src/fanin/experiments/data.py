"""The user's arrays, checked before anything is trained on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.training import Data

_PARTS = "(x_train, y_train, x_test, y_test), (x, y), or ((x_train, y_train), (x_test, y_test))"


def as_data(value: Any, *, name: str = "data") -> Data:
    """Return arrays to train and to evaluate on.

    Floating-point arrays become float32. Several inputs or targets are lists or dicts of arrays.

    Args:
        value: (x_train, y_train, x_test, y_test), (x, y), ((x_train, y_train), (x_test, y_test)), or
            `Data`.
        name: What to call them in reports.

    Raises:
        FaninError: The parts do not fit together, or something in them cannot be trained on.

    Example:
        >>> import numpy as np
        >>> as_data((np.zeros((4, 2)), np.zeros(4))).x_train.dtype
        dtype('float32')
    """
    if isinstance(value, Data):
        parts = (value.x_train, value.y_train, value.x_test, value.y_test)
        name = value.name
    else:
        parts = _parts(value)
    names = ("x_train", "y_train", "x_test", "y_test")
    arrays = [
        None if part is None else _converted(part, what) for part, what in zip(parts, names, strict=True)
    ]
    data = Data(*arrays, name=name)
    _check(data)
    return data


def _parts(value: Any) -> tuple[Any, Any, Any, Any]:
    if isinstance(value, tuple | list) and len(value) == 2 and all(_is_pair(part) for part in value):
        (x_train, y_train), (x_test, y_test) = value
        return x_train, y_train, x_test, y_test
    if isinstance(value, tuple | list) and len(value) == 4:
        return tuple(value)
    if isinstance(value, tuple | list) and len(value) == 2:
        return value[0], value[1], None, None
    shown = f"{len(value)} parts" if isinstance(value, tuple | list) else type(value).__name__
    raise FaninError(f"The data is {shown}.", expected=_PARTS)


def _is_pair(part: Any) -> bool:
    return isinstance(part, tuple | list) and len(part) == 2 and all(np.ndim(a) > 0 for a in part)


def _converted(part: Any, what: str) -> Any:
    if isinstance(part, Mapping):
        return {key: _array(value, f"{what}[{key!r}]") for key, value in part.items()}
    if isinstance(part, list) and part and all(hasattr(value, "shape") for value in part):
        return [_array(value, f"{what}[{i}]") for i, value in enumerate(part)]
    return _array(part, what)


def _array(value: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise FaninError(f"{what} is not an array: {error}.", expected="rows of one length") from error
    if array.dtype.kind not in "fiub":
        raise FaninError(f"{what} holds {array.dtype}, not numbers.", fix="encode it as numbers first")
    if array.ndim == 0 or array.size == 0:
        raise FaninError(f"{what} is empty.", expected="at least one example")
    if array.dtype.kind == "f":
        _check_finite(array, what)
        return array.astype(np.float32)
    return array


def _check_finite(array: np.ndarray, what: str) -> None:
    bad = ~np.isfinite(array)
    if not bad.any():
        return
    columns = "" if array.ndim != 2 else f", in column {', '.join(map(str, np.flatnonzero(bad.any(0))[:5]))}"
    raise FaninError(
        f"{what} holds {bad.sum()} values that are NaN or infinite{columns}.",
        expected="finite numbers",
        fix="impute or drop them before training",
    )


def leaves(part: Any) -> Iterator[np.ndarray]:
    """Yield the arrays in an input or a target.

    Example:
        >>> [len(a) for a in leaves({"a": np.zeros(2), "b": np.ones(2)})]
        [2, 2]
    """
    if part is None:
        return
    yield from part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else [part]


def _check(data: Data) -> None:
    for x, y, what in ((data.x_train, data.y_train, "train"), (data.x_test, data.y_test, "test")):
        if (x is None) != (y is None):
            raise FaninError(f"The {what} data has only one of x and y.", expected=_PARTS)
        sizes = {len(array) for part in (x, y) for array in leaves(part)}
        if len(sizes) > 1:
            raise FaninError(
                f"x_{what} and y_{what} have {' and '.join(map(str, sorted(sizes)))} examples.",
                expected="one y for each x",
            )
    shapes = [[a.shape[1:] for a in leaves(part)] for part in (data.x_train, data.x_test)]
    if data.x_test is not None and shapes[0] != shapes[1]:
        raise FaninError(
            f"An example is {shapes[0]} in x_train and {shapes[1]} in x_test.", expected="one shape"
        )


def check_batch(data: Data, batch_size: int) -> None:
    """Refuse a batch that is larger than the training data."""
    examples = len(next(leaves(data.x_train)))
    if batch_size > examples:
        raise FaninError(
            f"batch_size is {batch_size}, but there are {examples} training examples.",
            expected=f"at most {examples}",
            fix=f"--batch-size {min(32, examples)}",
        )


def check_labels(data: Data, loss: Any) -> None:
    """Refuse labels that do not fit a loss that is known by name.

    Args:
        data: Its targets are looked at.
        loss: A Keras loss or its name; others are not checked.

    Raises:
        FaninError: What the labels are, what the loss wants, and the loss that fits.
    """
    name = loss if isinstance(loss, str) else type(loss).__name__
    rule = _RULES.get(name.replace("_", "").lower())
    if rule is None:
        return
    for part in (data.y_train, data.y_test):
        for y in leaves(part):
            rule(y)


def _binary(y: np.ndarray) -> None:
    if y.min() >= 0 and y.max() <= 1:
        return
    values = np.unique(y)
    shown = ", ".join(f"{v:g}" for v in values[:5]) + (", ..." if len(values) > 5 else "")
    fix = (
        "map -1 to 0"
        if set(values.tolist()) == {-1, 1}
        else "--loss sparse_categorical_crossentropy for classes"
    )
    raise FaninError(
        f"binary_crossentropy cannot learn the labels {shown}.", expected="labels from 0 to 1", fix=fix
    )


def _sparse(y: np.ndarray) -> None:
    if y.ndim > 1 and y.shape[-1] > 1:
        raise FaninError(
            f"sparse_categorical_crossentropy got labels of shape {y.shape}.",
            expected="one class number an example",
            fix="--loss categorical_crossentropy for one-hot labels",
        )
    if (y < 0).any() or (y != np.floor(y)).any():
        raise FaninError(
            "sparse_categorical_crossentropy got labels that are not 0, 1, 2, ...",
            fix="number the classes from 0",
        )


def _categorical(y: np.ndarray) -> None:
    if y.ndim < 2 or y.shape[-1] == 1:
        raise FaninError(
            f"categorical_crossentropy got labels of shape {y.shape}.",
            expected="one-hot labels",
            fix="--loss sparse_categorical_crossentropy for class numbers",
        )


_RULES = {
    "binarycrossentropy": _binary,
    "sparsecategoricalcrossentropy": _sparse,
    "categoricalcrossentropy": _categorical,
}


def data_sha256(data: Data) -> str:
    """Return a hash of the arrays' names, dtypes, shapes and bytes.

    Example:
        >>> one, two = (as_data(([[1.0], [v]], [0, 1])) for v in (2.0, 3.0))
        >>> data_sha256(one) == data_sha256(one), data_sha256(one) == data_sha256(two)
        (True, False)
    """
    digest = hashlib.sha256()
    for what in ("x_train", "y_train", "x_test", "y_test"):
        part = getattr(data, what)
        keys = list(part) if isinstance(part, Mapping) else []
        digest.update(f"{what}{keys}".encode())
        for array in leaves(part):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
