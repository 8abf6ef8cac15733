"""One array of the user's, checked and made such that it can be trained on."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.sources import first_line


def as_array(value: Any, what: str) -> np.ndarray:
    """Return numbers as an array: floating-point ones as float32, others as they are.

    Args:
        value: An array, or what NumPy can make one of.
        what: What to call it in errors ("x_train").

    Raises:
        FaninError: It is no array, or empty, or holds something else than finite numbers.

    Example:
        >>> as_array([[1.0, 2.0]], "x_train").dtype
        dtype('float32')
    """
    array = _numbers(value, what)
    if array.ndim == 0:
        raise FaninError(f"{what} is one number, {array}.", expected="an array with a row for each example")
    if array.size == 0:
        raise FaninError(f"{what} is empty: its shape is {array.shape}.", expected="at least one example")
    if array.dtype.kind == "f":
        return _finite(array, what)
    if array.dtype.itemsize > 4 and max(abs(int(array.min())), abs(int(array.max()))) >= 2**31:
        raise FaninError(f"{what} holds integers of more than 32 bits.", fix=f"{what}.astype('float32')")
    return array


def _numbers(value: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # what torch raises, too
        raise FaninError(f"{what} is no array: {first_line(error)}", expected="rows of one length") from error
    if array.dtype.kind in "fiub":
        return array
    odd = next((item for item in array.flat if not isinstance(item, Real)), None)
    if array.dtype.kind == "O" and array.ndim and all(isinstance(item, Real) for item in array.flat):
        return array.astype(np.float32)  # columns of numbers of several kinds
    odd = odd.item() if isinstance(odd, np.generic) else odd
    raise FaninError(
        f"{what} holds {_shown(odd)}, of type {type(odd).__name__}.",
        expected="numbers",
        fix=_encoding(value, what),
    )


def _shown(item: Any) -> str:
    text = repr(item)
    return text if len(text) <= 40 and "\n" not in text else "an object"


def _encoding(value: Any, what: str) -> str:
    if hasattr(value, "toarray"):
        return f"{what}.toarray()"
    if what.startswith("y"):
        return f"classes, {what} = numpy.unique({what}, return_inverse=True)"
    return "encode it as numbers, or drop it"


def _finite(array: np.ndarray, what: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32)
    bad = ~np.isfinite(narrow)
    if not bad.any():
        return narrow
    count = int(bad.sum())
    columns = "" if array.ndim != 2 else f", in column {', '.join(map(str, np.flatnonzero(bad.any(0))[:5]))}"
    raise FaninError(
        f"{what} holds {count} {'value' if count == 1 else 'values'} that cannot be trained on{columns}: "
        "NaN, infinite or too large for float32.",
        expected="finite numbers",
        fix="impute, scale or drop them before training",
    )
