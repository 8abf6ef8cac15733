"""The signals of a JAX model: its graph, and what really goes through it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.extend

from fanin.errors import FaninError
from fanin.frameworks.find import framework_of, is_model
from fanin.frameworks.given import Given
from fanin.frameworks.inputs import Inputs
from fanin.frameworks.jax.graph.convert import converted
from fanin.frameworks.jax.graph.signal import call_of
from fanin.frameworks.jax.graph.trace import Call
from fanin.frameworks.jax.measure import Reader
from fanin.frameworks.readings import Reading
from fanin.graph.signal import SignalGraph
from fanin.schemes.plan import InitPlan


def channel_axis(dimensions: int) -> int:
    """Return the axis of the channels of an input that does not say."""
    return -1


def signal_graph(
    model: Any,
    given: Given,
    *,
    train: bool = False,
    laws: Mapping[str, Any] | None = None,
    **options: Any,
) -> SignalGraph:
    """Return what a model or a function computes, without running it.

    Args:
        model: The model, or a function f(params, *inputs).
        given: Its inputs.
        train: Whether as in training.
        laws: What parameters are distributed by, in the place of what they hold or declare.
        **options: As for `fanin.frameworks.jax.graph.signal_graph`.
    """
    return converted(_call(model, given, train, options), laws)


def types_of(model: Any) -> dict[str, str]:
    """Return nothing: modules are only known while they are called."""
    return {}


def starts(model: Any, **options: Any) -> bool:
    """Return whether a model says how to make it anew: a Linen module does, and whatever has a `start`."""
    if options.get("start") is not None:
        return True
    return _is_linen(model) and options.get("params") is None


def drawn(plan: InitPlan, model: Any, seed: int, given: Given, **options: Any) -> Any:
    """Return a network with the values of a plan: a model, or what `params` would be.

    Args:
        plan: What to draw.
        model: The model, or a function.
        seed: Of the values.
        given: Its inputs, which a Linen module and a function need.
        **options: As for `signal_graph`.
    """
    from fanin.frameworks.jax.mending import redrawn

    made, more = redrawn(plan, model, given, options, seed)
    return more["params"] if takes_parameters(model) else made


def kept(model: Any) -> contextlib.AbstractContextManager[None]:
    """Return a block that needs to put nothing back: JAX models do not change."""
    return contextlib.nullcontext()


def seeded(seed: int | None) -> contextlib.AbstractContextManager[None]:
    """Return a block that needs to put nothing back: JAX has no random state."""
    return contextlib.nullcontext()


def reader(
    model: Any, given: Given, *, loss: str | None, train: bool, batches: int, vocabulary: int, **options: Any
) -> Callable[[Any, int], Reading]:
    """Return a function of (network, seed) that runs a network forward and backward and reads its signals.

    A network is a model like the given one, or what `params` would be: a function's parameters, a Linen
    module's variables; None where the model's own start makes them.

    Args:
        model: The model, or a function f(params, *inputs).
        given: Its inputs.
        loss: What the gradients are of.
        train: Whether to run it as in training.
        batches: How many batches to take the mean over.
        vocabulary: How many tokens there are where an input does not say.
        **options: As for `signal_graph`.
    """
    call = _call(model, given, train, options)
    reading = Reader(call, given, loss=loss, batches=batches, vocabulary=vocabulary)

    def read(network: Any, seed: int) -> Reading:
        return reading.read(_values(model, network, call, given, train, options, seed), seed)

    return read


def _values(
    model: Any, network: Any, call: Call, given: Given, train: bool, options: dict[str, Any], seed: int
) -> list[Any]:
    if network is not None and network is not model:
        apart = takes_parameters(model) and not _is_linen(network)  # which makes its parameters itself
        more = options | {"params": network} if apart else options
        call = _call(model if apart else network, given, train, more)
    values = [leaf.value for leaf in call.leaves]
    if not any(isinstance(value, jax.ShapeDtypeStruct) for value in values):
        return values
    if call.start is None:
        raise FaninError(
            f"The parameters of {call.name} are only described, so nothing can be measured.",
            fix="give a scheme, start=(a function of a random key that makes them), or real arrays",
        )
    return jax.extend.core.jaxpr_as_fun(call.start())(jax.random.key(seed))


def takes_parameters(model: Any) -> bool:
    """Return whether parameters are apart from a model: of a function, and of a Linen module."""
    return not is_model(model) or _is_linen(model)


def _is_linen(model: Any) -> bool:
    return is_model(model) and framework_of(model) == "linen"


def _call(model: Any, given: Given, train: bool, options: Mapping[str, Any]) -> Call:
    keywords = {name: _described(one) for name, one in given.named.items()}
    positional = tuple(_described(one) for one in given.positional)
    return call_of(model, positional, keywords, train=train, **options)


def _described(inputs: Inputs) -> Any:
    return jax.ShapeDtypeStruct(inputs.shape, jax.dtypes.canonicalize_dtype(inputs.dtype))


def described(given: Given) -> Iterator[Any]:
    """Yield descriptions of the inputs."""
    return map(_described, given)
