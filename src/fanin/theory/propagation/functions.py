"""Functions of elements, with their derivatives: how signals and gradients pass through them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import erf, erfc, expit

from fanin.theory.activation import Activation
from fanin.theory.names import named
from fanin.theory.propagation.draws import Array

_STEP = 1e-6


class Function(NamedTuple):
    """A function of one value or several, element by element.

    Args:
        value: From the operands to the result.
        slopes: From the operands and the result to the derivative with respect to each operand.
    """

    value: Callable[..., Array]
    slopes: Callable[..., Sequence[Array | float]]


_TWO_BY_PI = 2 / math.sqrt(math.pi)

_ONE: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array | float]]] = {
    "negative": (np.negative, lambda x, y: -1.0),
    "square": (np.square, lambda x, y: 2 * x),
    "sqrt": (np.sqrt, lambda x, y: 0.5 / y),
    "rsqrt": (lambda x: 1 / np.sqrt(x), lambda x, y: -0.5 * y**3),
    "reciprocal": (np.reciprocal, lambda x, y: -(y**2)),
    "exp": (np.exp, lambda x, y: y),
    "expm1": (np.expm1, lambda x, y: y + 1),
    "log": (np.log, lambda x, y: 1 / x),
    "log1p": (np.log1p, lambda x, y: 1 / (1 + x)),
    "abs": (np.abs, lambda x, y: np.sign(x)),
    "sin": (np.sin, lambda x, y: np.cos(x)),
    "cos": (np.cos, lambda x, y: -np.sin(x)),
    "tanh": (np.tanh, lambda x, y: 1 - y**2),
    "sigmoid": (expit, lambda x, y: y * (1 - y)),
    "erf": (erf, lambda x, y: _TWO_BY_PI * np.exp(-(x**2))),
    "erfc": (erfc, lambda x, y: -_TWO_BY_PI * np.exp(-(x**2))),
    "sign": (np.sign, lambda x, y: 0.0),
    "floor": (np.floor, lambda x, y: 0.0),
    "ceil": (np.ceil, lambda x, y: 0.0),
    "round": (np.round, lambda x, y: 0.0),
    "logical_not": (lambda x: 1.0 - (x != 0), lambda x, y: 0.0),
    "is_finite": (lambda x: np.isfinite(x) * 1.0, lambda x, y: 0.0),
}

_TWO: dict[str, tuple[Callable[..., Array], Callable[..., Sequence[Array | float]]]] = {
    "add": (np.add, lambda a, b, y: (1.0, 1.0)),
    "subtract": (np.subtract, lambda a, b, y: (1.0, -1.0)),
    "multiply": (np.multiply, lambda a, b, y: (b, a)),
    "divide": (np.divide, lambda a, b, y: (1 / b, -y / b)),
    "power": (np.power, lambda a, b, y: (b * a ** (b - 1), _logarithm(a) * y)),
    "maximum": (np.maximum, lambda a, b, y: (_larger(a, b), _larger(b, a))),
    "minimum": (np.minimum, lambda a, b, y: (_larger(b, a), _larger(a, b))),
}

_TOLD = {
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
}


def _larger(a: Array, b: Array) -> Array:
    """Return the share of the derivative that the larger one of two gets: half where they are equal."""
    return np.heaviside(a - b, 0.5)


def _logarithm(a: Array) -> Array:
    return np.log(np.where(a > 0, a, 1.0))


def _where(condition: Array, a: Array, b: Array) -> Array:
    return np.where(condition != 0, a, b)


def function(name: str, arguments: tuple[float, ...] = ()) -> Function:
    """Return a function by its name in a graph.

    Args:
        name: One of docs/graph.md's, or an activation's.
        arguments: Its numbers, such as the slope of leaky_relu.

    Raises:
        FaninError: Nobody knows such a function.

    Example:
        >>> relu = function("relu")
        >>> x = np.array([-1.0, 2.0])
        >>> relu.value(x).tolist(), relu.slopes(x, relu.value(x))[0].tolist()
        ([0.0, 2.0], [0.0, 1.0])
    """
    if name in _ONE:
        value, slope = _ONE[name]
        return Function(value, lambda x, y: (slope(x, y),))
    if name in _TWO:
        return Function(*_TWO[name])
    if name in _TOLD:
        told = _TOLD[name]
        return Function(lambda a, b: told(a, b) * 1.0, lambda a, b, y: (0.0, 0.0))
    if name in _MADE:
        return _MADE[name](*arguments)
    return _activation(name, arguments)


def _integer_power(exponent: float) -> Function:
    return Function(lambda x: x**exponent, lambda x, y: (exponent * x ** (exponent - 1),))


def _clip(low: float | None, high: float | None) -> Function:
    lowest = -np.inf if low is None else low
    highest = np.inf if high is None else high
    return Function(
        lambda x: np.clip(x, lowest, highest), lambda x, y: ((x >= lowest) * (x <= highest) * 1.0,)
    )


def _choice() -> Function:
    return Function(_where, lambda c, a, b, y: (0.0, (c != 0) * 1.0, (c == 0) * 1.0))


_MADE: dict[str, Callable[..., Function]] = {
    "integer_power": _integer_power,
    "clip": _clip,
    "where": _choice,
}


@functools.cache
def _activation(name: str, arguments: tuple[float, ...]) -> Function:
    inside = ", ".join(f"{number!r}" for number in arguments)
    found = named(f"{name}({inside})" if inside else name)
    slope = found.derivative or _numerical(found)
    return Function(found.value, lambda x, y: (slope(x),))


def _numerical(found: Activation) -> Callable[[Array], Array]:
    return lambda x: (found.value(x + _STEP) - found.value(x - _STEP)) / (2 * _STEP)


def slope_of(
    value: Callable[..., Array], slopes: Sequence[Callable[..., Array]]
) -> Callable[..., Sequence[Array | float]]:
    """Return the derivatives of a function as a `Function` has them: given ones, or differences.

    Args:
        value: From the operands to the result.
        slopes: From the operands to the derivative with respect to each; empty for differences.
    """
    if slopes:
        return lambda *operands: [slope(*operands[:-1]) for slope in slopes]
    return lambda *operands: [_difference(value, operands[:-1], place) for place in range(len(operands) - 1)]


def _difference(value: Callable[..., Array], operands: Sequence[Array], place: int) -> Array:
    before, here, after = operands[:place], operands[place], operands[place + 1 :]
    step = _STEP * (float(np.std(here)) or 1.0)
    return (value(*before, here + step, *after) - value(*before, here - step, *after)) / (2 * step)
