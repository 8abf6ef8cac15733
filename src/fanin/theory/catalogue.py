"""The activations that have a name, with their derivatives in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import erf, expit, log_expit, ndtr

from fanin.theory.activation import Array, Function

Pair = tuple[Function, Function]
"""An activation and its derivative."""


@dataclass(frozen=True)
class Known:
    """One activation of the catalogue.

    Args:
        make: From its arguments to the function and its derivative.
        defaults: Its arguments with their defaults, which are PyTorch's.
    """

    make: Callable[..., Pair]
    defaults: Mapping[str, float] = field(default_factory=dict)


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al., arXiv:1706.02515


def _fixed(value: Function, derivative: Function) -> Known:
    return Known(lambda: (value, derivative))


def _density(x: Array) -> Array:
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _leaky(slope: float) -> Pair:
    return lambda x: np.where(x > 0, x, slope * x), lambda x: np.where(x > 0, 1.0, slope)


def _elu(alpha: float, scale: float = 1.0, width: float = 1.0) -> Pair:
    """Return scale * (x, or alpha (exp(x / width) - 1) below 0)."""

    def value(x: Array) -> Array:
        return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / width))

    def derivative(x: Array) -> Array:
        return scale * np.where(x > 0, 1.0, alpha / width * np.exp(np.minimum(x, 0) / width))

    return value, derivative


def _gelu_tanh() -> Pair:
    inner, cubic = math.sqrt(2 / math.pi), 0.044715

    def value(x: Array) -> Array:
        return 0.5 * x * (1 + np.tanh(inner * (x + cubic * x**3)))

    def derivative(x: Array) -> Array:
        t = np.tanh(inner * (x + cubic * x**3))
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner * (1 + 3 * cubic * x * x)

    return value, derivative


def _swish(beta: float) -> Pair:
    def derivative(x: Array) -> Array:
        s = expit(beta * x)
        return s + beta * x * s * (1 - s)

    return lambda x: x * expit(beta * x), derivative


def _softplus(beta: float) -> Pair:
    return lambda x: np.logaddexp(0, beta * x) / beta, lambda x: expit(beta * x)


def _mish() -> Pair:
    def derivative(x: Array) -> Array:
        t = np.tanh(np.logaddexp(0, x))
        return t + x * (1 - t * t) * expit(x)

    return lambda x: x * np.tanh(np.logaddexp(0, x)), derivative


def _between(low: float, high: float) -> Function:
    return lambda x: ((x > low) & (x < high)).astype(np.float64)


def _hard_swish() -> Pair:
    def derivative(x: Array) -> Array:
        return np.where(x > 3, 1.0, np.where(x < -3, 0.0, (2 * x + 3) / 6))

    return lambda x: x * np.clip(x + 3, 0, 6) / 6, derivative


def _soft_shrink(cut: float) -> Pair:
    return lambda x: x - np.clip(x, -cut, cut), lambda x: (np.abs(x) > cut).astype(np.float64)


def _hard_shrink(cut: float) -> Pair:
    return lambda x: np.where(np.abs(x) > cut, x, 0.0), lambda x: (np.abs(x) > cut).astype(np.float64)


def _squareplus(b: float) -> Pair:
    return lambda x: (x + np.sqrt(x * x + b)) / 2, lambda x: (1 + x / np.sqrt(x * x + b)) / 2


def _tanh_slope(x: Array) -> Array:
    return 1 / np.cosh(x) ** 2


_NONE: Function = np.zeros_like

CATALOGUE: dict[str, Known] = {
    "abs": _fixed(np.abs, np.sign),
    "arctan": _fixed(np.arctan, lambda x: 1 / (1 + x * x)),
    "celu": Known(lambda alpha: _elu(alpha, width=alpha), {"alpha": 1.0}),
    "cos": _fixed(np.cos, lambda x: -np.sin(x)),
    "elu": Known(_elu, {"alpha": 1.0}),
    "erf": _fixed(erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-x * x)),
    "exp": _fixed(np.exp, np.exp),
    "gelu": _fixed(lambda x: x * ndtr(x), lambda x: ndtr(x) + x * _density(x)),
    "gelu_tanh": Known(_gelu_tanh),
    "hard_shrink": Known(_hard_shrink, {"lambd": 0.5}),
    "hard_sigmoid": _fixed(lambda x: np.clip(x + 3, 0, 6) / 6, lambda x: _between(-3, 3)(x) / 6),
    "hard_swish": Known(_hard_swish),
    "hard_tanh": Known(
        lambda low, high: (lambda x: np.clip(x, low, high), _between(low, high)),
        {"min_val": -1.0, "max_val": 1.0},
    ),
    "identity": _fixed(lambda x: x, np.ones_like),
    "leaky_relu": Known(_leaky, {"negative_slope": 0.01}),
    "log_sigmoid": _fixed(log_expit, lambda x: expit(-x)),
    "mish": Known(_mish),
    "quick_gelu": Known(_swish, {"beta": 1.702}),
    "relu": _fixed(lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(np.float64)),
    "relu6": _fixed(lambda x: np.clip(x, 0, 6), _between(0, 6)),
    "selu": Known(lambda: _elu(SELU_ALPHA, SELU_SCALE)),
    "sigmoid": _fixed(expit, lambda x: expit(x) * expit(-x)),
    "sign": _fixed(np.sign, _NONE),
    "silu": Known(_swish, {"beta": 1.0}),
    "sin": Known(
        lambda omega: (lambda x: np.sin(omega * x), lambda x: omega * np.cos(omega * x)), {"omega": 1.0}
    ),
    "soft_shrink": Known(_soft_shrink, {"lambd": 0.5}),
    "softplus": Known(_softplus, {"beta": 1.0}),
    "softsign": _fixed(lambda x: x / (1 + np.abs(x)), lambda x: (1 + np.abs(x)) ** -2.0),
    "square": _fixed(np.square, lambda x: 2 * x),
    "squared_relu": _fixed(lambda x: np.maximum(x, 0) ** 2, lambda x: 2 * np.maximum(x, 0)),
    "squareplus": Known(_squareplus, {"b": 4.0}),
    "step": _fixed(lambda x: np.heaviside(x, 0.5), _NONE),
    "tanh": _fixed(np.tanh, _tanh_slope),
    "tanh_shrink": _fixed(lambda x: x - np.tanh(x), lambda x: np.tanh(x) ** 2),
}

ALIASES = {
    "atan": "arctan",
    "exponential": "exp",
    "gelu_approximate": "gelu_tanh",
    "gelu_erf": "gelu",
    "gelu_exact": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_quick": "quick_gelu",
    "hard_silu": "hard_swish",
    "heaviside": "step",
    "linear": "identity",
    "relu2": "squared_relu",
    "relu_squared": "squared_relu",
    "sine": "sin",
    "swish": "silu",
}
"""Other names: PyTorch's, JAX's, Keras' and those of model hubs."""

GATED = ("bilinear", "geglu", "glu", "reglu", "swiglu")
"""Units that multiply one half of their inputs with a gate made of the other."""

JOINT = ("log_softmax", "maxout", "softmax", "sparsemax")
"""Functions whose outputs each depend on several inputs."""
