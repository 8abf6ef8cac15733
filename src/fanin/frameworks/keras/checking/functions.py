"""Functions of Keras' backends that are looked at while a model runs: the same names on each backend."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras.src import backend

Hook = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""From a function's name, the function and its arguments to what it returns."""

LayerHook = Callable[[Any, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""From a layer, its own call and the arguments to what it returns."""

ACTIVATIONS = {
    "elu": "elu", "gelu": "gelu", "hard_sigmoid": "hardsigmoid", "hard_silu": "hardswish",
    "hard_tanh": "hardtanh", "leaky_relu": "leaky_relu", "relu": "relu", "relu6": "relu6", "selu": "selu",
    "sigmoid": "sigmoid", "silu": "silu", "softplus": "softplus", "tanh": "tanh",
}  # fmt: skip
"""Activations by the names of Keras' functions, and their names in vitals."""
PRODUCTS = ("matmul", "dot", "einsum", "tensordot")
CONVOLUTIONS = ("conv", "depthwise_conv", "separable_conv", "conv_transpose")
MOVING = (
    "add", "multiply", "subtract", "cast", "convert_to_tensor", "expand_dims", "reshape", "squeeze",
    "transpose",
)  # fmt: skip
"""Functions whose result is a weight where all that they read are weights."""
_NUMPY = (*PRODUCTS, "add", "multiply", "subtract", "expand_dims", "reshape", "squeeze", "tanh", "transpose")
_NN = (*CONVOLUTIONS, *ACTIVATIONS, "softmax", "log_softmax", "dot_product_attention")
_CORE = (
    "cast", "convert_to_tensor", "associative_scan", "cond", "fori_loop", "map", "scan", "switch",
    "vectorized_map", "while_loop",
)  # fmt: skip
_RANDOM = ("dropout",)


@contextlib.contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """Let the functions of the backend go through a hook while the block runs.

    Args:
        hook: What is called in their place.
    """
    with contextlib.ExitStack() as stack:
        groups = (
            (backend.numpy, _NUMPY),
            (backend.nn, _NN),
            (backend.core, _CORE),
            (backend.random, _RANDOM),
        )
        for module, names in groups:
            for name in names:
                if hasattr(module, name):
                    stack.enter_context(_replaced(module, name, hook))
        yield


@contextlib.contextmanager
def _replaced(module: Any, name: str, hook: Hook) -> Iterator[None]:
    own = getattr(module, name)

    @functools.wraps(own)
    def through(*args: Any, **kwargs: Any) -> Any:
        return hook(name, own, args, kwargs)

    setattr(module, name, through)
    try:
        yield
    finally:
        setattr(module, name, own)


@contextlib.contextmanager
def layers_called(hook: LayerHook) -> Iterator[None]:
    """Let the calls of layers go through a hook while the block runs.

    Args:
        hook: What is called in their place.
    """
    own = keras.layers.Layer.__call__

    @functools.wraps(own)
    def through(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return hook(layer, functools.partial(own, layer), args, kwargs)

    type.__setattr__(keras.layers.Layer, "__call__", through)
    try:
        yield
    finally:
        type.__setattr__(keras.layers.Layer, "__call__", own)


def trace() -> Any:
    """Return what values of one trace have in common: it differs inside of loops that a backend traces."""
    name = keras.backend.backend()
    if name == "jax":
        from jax.extend.core import get_opaque_trace_state

        return get_opaque_trace_state()
    if name == "tensorflow":
        import tensorflow

        return tensorflow.executing_eagerly()
    return True
