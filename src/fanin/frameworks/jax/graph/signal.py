"""The signal graph of a JAX function or of a model of Flax or Equinox."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fanin.errors import FaninError
from fanin.frameworks.find import framework_of, is_model
from fanin.frameworks.jax.graph.convert import converted
from fanin.frameworks.jax.graph.trace import Call, arguments
from fanin.graph.signal import SignalGraph

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def signal_graph(
    model: Any,
    inputs: Any,
    *,
    params: Any = None,
    train: bool = False,
    laws: Mapping[str, Any] | None = None,
    keywords: Mapping[str, Any] = _NOTHING,
    start: Callable[[Any], Any] | None = None,
    vmap: bool | None = None,
    state: Any = None,
) -> SignalGraph:
    """Return what a JAX model computes, without running it.

    The jaxpr of its call is read, operation by operation. Nothing is computed but what depends on neither
    inputs nor parameters, such as masks and tables of angles.

    Args:
        model: A Flax Linen or NNX module, an Equinox module, or a function f(params, *inputs).
        inputs: A tuple of inputs by place, or one input; arrays may be `jax.ShapeDtypeStruct`.
        params: For a function, its parameters; for a Linen module, its variables. Arrays or descriptions. A
            Linen module's may be left out.
        train: Whether as in training. Arguments of the call such as `train` and `deterministic` follow it.
        laws: Laws of parameters by name, in place of those of their values or initializers.
        keywords: Inputs by name.
        start: A function of a random key that makes the model, or `params`: the laws of arrays that are only
            described are read from it. Linen's own `init` needs none.
        vmap: For Equinox, whether the model takes one example, and is given each example of the batch; by
            default found by what it takes.
        state: For Equinox, the state of a model that has one (`eqx.nn.make_with_state`).

    Returns:
        The graph; `fanin.theory.recognition.recognize` finds attention, norms and activations in it.

    Raises:
        FaninError: There is no input, the model cannot be traced with these, or its parameters are missing.

    Example:
        >>> import jax
        >>> from flax import linen as nn
        >>> graph = signal_graph(nn.Dense(5), jax.ShapeDtypeStruct((8, 3), "float32"))
        >>> [node.op for node in graph], graph.weight["kernel"].law.name
        (['parameter', 'parameter', 'input', 'linear', 'reshape', 'elementwise'], 'truncated normal')
    """
    given = arguments(inputs, _name(model))
    call = call_of(model, given, keywords, params=params, train=train, start=start, vmap=vmap, state=state)
    return converted(call, laws)


def call_of(model: Any, given: tuple[Any, ...], keywords: Mapping[str, Any], **options: Any) -> Call:
    """Return how a JAX model or a function is called.

    Args:
        model: As for `signal_graph`.
        given: Inputs by place.
        keywords: Inputs by name.
        **options: As for `signal_graph`; those that this kind of model does not take are left out.
    """
    library = framework_of(model) if is_model(model) else "plain"
    if library == "jax" or (library == "plain" and not callable(model)):
        raise FaninError(
            "A pytree of arrays says nothing of what is computed with them.",
            fix="signal_graph(function, inputs, params=...), with the function that takes them",
        )
    if library in ("torch", "keras"):
        raise FaninError(f"{_name(model)} is a model of {library}.", expected="a model or function of JAX")
    takes = {"linen": ("params",), "nnx": ("start",), "equinox": ("start", "vmap", "state")}
    wanted = ("train", *takes.get(library, ("params", "start")))
    part = importlib.import_module(f"fanin.frameworks.jax.graph.{library}")
    return part.call_of(model, given, keywords, **{name: options[name] for name in wanted if name in options})


def _name(model: Any) -> str:
    return getattr(model, "__name__", type(model).__name__)
