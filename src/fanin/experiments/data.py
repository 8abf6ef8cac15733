"""The user's arrays, checked before anything is trained on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.experiments.arrays import as_array
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
    raise FaninError(_shown(value), expected=_PARTS, fix=_collected(value))


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"The data is a {type(value).__name__} of {len(value)}."
    if value is None:
        return "There is no data; does its function return it?"
    return f"The data is of type {type(value).__name__}."


def _collected(value: Any) -> str:
    """Say how to make arrays of what gives out batches: a generator, a tf.data.Dataset, a DataLoader."""
    gives_batches = hasattr(value, "__iter__") and not hasattr(value, "__array__")
    if isinstance(value, tuple | list | Mapping | str) or not gives_batches:
        return ""
    return "put its batches together first: x, y = map(numpy.concatenate, zip(*batches))"


def _is_pair(part: Any) -> bool:
    return isinstance(part, tuple | list) and len(part) == 2 and all(np.ndim(a) > 0 for a in part)


def _converted(part: Any, what: str) -> Any:
    if isinstance(part, Mapping):
        return {key: as_array(value, f"{what}[{key!r}]") for key, value in part.items()}
    if isinstance(part, list) and part and all(hasattr(value, "shape") for value in part):
        return [as_array(value, f"{what}[{i}]") for i, value in enumerate(part)]
    return as_array(part, what)


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
    _check_lengths(data)
    if data.x_test is None:
        return
    for train, test, what in (
        (data.x_train, data.x_test, "x"),
        (data.y_train, data.y_test, "y"),
    ):
        shapes = [_shapes(train), _shapes(test)]
        if shapes[0] != shapes[1]:
            raise FaninError(
                f"An example is {shapes[0]} in {what}_train and {shapes[1]} in {what}_test.",
                expected="one shape",
            )


def _check_lengths(data: Data) -> None:
    if data.x_train is None:
        raise FaninError("There is no training data.", expected=_PARTS)
    for x, y, what in ((data.x_train, data.y_train, "train"), (data.x_test, data.y_test, "test")):
        if (x is None) != (y is None):
            raise FaninError(f"The {what} data has only one of x and y.", expected=_PARTS)
        sizes = [len(array) for part in (x, y) for array in leaves(part)]
        if len(set(sizes)) > 1:
            raise FaninError(
                f"x_{what} has {sizes[0]} examples, y_{what} has {sizes[-1]}.",
                expected="one y for each x",
                fix=_SWAPPED if _split_order(data) else "",
            )


_SWAPPED = "train_test_split gives x_train, x_test, y_train, y_test: return x_train, y_train, x_test, y_test"


def _split_order(data: Data) -> bool:
    """Return whether the parts look like those of scikit-learn's train_test_split, in its order."""
    parts = (data.x_train, data.y_train, data.x_test, data.y_test)
    sizes = [len(part) for part in parts if isinstance(part, np.ndarray)]
    return len(sizes) == 4 and sizes[0] == sizes[2] and sizes[1] == sizes[3]


def _shapes(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {key: array.shape[1:] for key, array in part.items()}
    return [array.shape[1:] for array in part] if isinstance(part, list) else part.shape[1:]


def check_batch(data: Data, batch_size: int) -> None:
    """Refuse a batch that is larger than the training data."""
    examples = len(next(leaves(data.x_train)))
    if batch_size > examples:
        raise FaninError(
            f"batch_size is {batch_size}, but there are {examples} training examples.",
            expected=f"at most {examples}",
            fix=f"--batch-size {min(32, examples)}",
        )


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
