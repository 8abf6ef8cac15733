"""An activation from whatever the user has: a function or a layer of any framework, or a plain function.

The framework is found by what the function is, and where that says nothing by what it returns for a NumPy
array, or which array it takes. None is imported that is not loaded already.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from fanin.errors import FaninError, users_code
from fanin.sources import first_line, own_line
from fanin.theory.activation import Activation, Array
from fanin.theory.names import gated, joint

_ADAPTERS = {
    "torch": ("fanin.frameworks.torch.activation", "torch_activation"),
    "jax": ("fanin.frameworks.jax.activation", "jax_activation"),
}
_PROBE = np.concatenate([np.linspace(-3.1, 2.9, 32), np.linspace(0.013, 5.7, 32)])
_LEAST_EPS = 1e-6  # of float32 or better


def as_activation(function: Any, name: str | None = None) -> Activation:
    """Return a callable as an activation, tried on some numbers.

    Args:
        function: A function of an array, a module or layer that has none or one parameter a unit, or a
            Python function of one number.
        name: What to call it; by default its own name.

    Raises:
        FaninError: It fails, or is no function that is applied to each element.

    Example:
        >>> as_activation(np.tanh).source, as_activation(lambda x: max(x, 0.0)).name
        ('numerical', '<lambda>')
    """
    name = name or _name(function)
    if inspect.isclass(function):
        raise FaninError(f"{name} is a class, not a function.", expected="an instance of it", fix=f"{name}()")
    if not callable(function):
        raise FaninError(
            f"{repr(function)[:40]} is of type {type(function).__name__}.",
            expected="an activation: a function, a module, or a name such as 'gelu'",
        )
    if _family(function) == "keras" and _is_layer(function):
        with users_code(f"{name} fails"):
            function = _adapter("fanin.frameworks.keras.activation", "layer_function")(function)
    return _checked(_adapted(function, name))


def _name(function: Any) -> str:
    function = function.func if isinstance(function, functools.partial) else function
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def _family(function: Any) -> str:
    """Return the package that a function, or the class of a layer, comes from."""
    function = function.func if isinstance(function, functools.partial) else function
    homes = [getattr(function, "__module__", None), *(base.__module__ for base in type(function).__mro__)]
    packages = [str(home).partition(".")[0] for home in homes]
    return next((package for package in packages if package in ("torch", "keras", "jax", "jaxlib")), "")


def _is_layer(function: Any) -> bool:
    return any(base.__name__ == "Layer" for base in type(function).__mro__)


def _adapter(module: str, name: str) -> Callable[..., Any]:
    return getattr(importlib.import_module(module), name)


def _in(framework: str, function: Callable[..., Any], name: str) -> Activation:
    return _adapter(*_ADAPTERS[framework])(function, name)


def _adapted(function: Callable[..., Any], name: str) -> Activation:
    """Return the first form of a function that works."""
    family = _alias(_family(function))
    if family in _ADAPTERS:
        return _in(family, function, name)
    try:
        with np.errstate(all="ignore"):
            returned = _alias(type(function(_PROBE.copy())).__module__.partition(".")[0])
    except Exception as error:  # anything: it may want another kind of array
        return _other_kind(function, name, error)
    return _in(returned, function, name) if returned in _ADAPTERS else Activation(name, function)


def _alias(package: str) -> str:
    return "jax" if package == "jaxlib" else package


def _other_kind(function: Callable[..., Any], name: str, error: Exception) -> Activation:
    """Return a function that takes no NumPy array: it may want another array, or one number."""
    candidates = [_in(framework, function, name) for framework in _ADAPTERS if framework in sys.modules]
    candidates.append(Activation(name, np.vectorize(lambda number: function(float(number)), otypes=[float])))
    for candidate in candidates:
        with suppress(Exception):
            candidate.value(_PROBE)
            return candidate
    said = f"{type(error).__name__}: {first_line(error)}{own_line(error)}"
    raise FaninError(f"{name} fails: {said}", expected="a function of one array, or of one number") from error


def _checked(activation: Activation) -> Activation:
    """Return an activation with every result checked, as float64; try that it is what it should be."""
    name, gradient = activation.name, activation.derivative

    def value(x: Array) -> Array:
        with users_code(f"{name} fails"), np.errstate(all="ignore"):
            y = activation.value(x.reshape(-1).copy())  # it may work in place
        return _real(name, y, x.size).astype(np.float64).reshape(x.shape)

    def derivative(x: Array) -> Array:
        with users_code(f"The gradient of {name} fails"):
            return np.asarray(gradient(x.reshape(-1).copy()), np.float64).reshape(x.shape)  # type: ignore[misc]

    with users_code(f"{name} fails"), np.errstate(all="ignore"):
        eps = _eps(_real(name, activation.value(_PROBE.copy()), _PROBE.size))
    _check_elementwise(name, value)
    return replace(activation, value=value, derivative=gradient and derivative, eps=eps)


def _eps(y: np.ndarray) -> float:
    return max(float(np.finfo(y.dtype if y.dtype.kind == "f" else np.float64).eps), 2.0**-52)


def _real(name: str, y: Any, size: int) -> np.ndarray:
    """Return what a function gave for `size` numbers, or say why that will not do."""
    kind, y = type(y).__name__, np.asarray(y)
    if y.dtype.kind not in "fiubcV":  # V: bfloat16 and its like
        raise FaninError(f"{name} returns {kind}.", expected="an array of numbers")
    if y.shape == (size // 2,):
        raise gated(name)
    if y.shape != (size,):
        raise FaninError(
            f"{name} returns shape {y.shape} for {size} numbers.", expected="one number for each number"
        )
    if y.dtype.kind in "cV" or (y.dtype.kind == "f" and np.finfo(y.dtype).eps > _LEAST_EPS):
        raise FaninError(f"{name} returns {y.dtype} numbers.", expected="real numbers, float32 or float64")
    return y


def _check_elementwise(name: str, value: Callable[[Array], Array]) -> None:
    """Refuse what is random, and what mixes elements."""
    y, again = value(_PROBE), value(_PROBE)
    if not _close(y, again):
        raise FaninError(
            f"{name} returns different values for the same input.",
            expected="a function without randomness",
            fix="model.eval() where it is a module that drops units in training",
        )
    if not _close(value(_PROBE[::-2]), y[::-2]):
        raise joint(name)


def _close(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-7 * np.nanmax(np.abs(b), initial=0), equal_nan=True))
