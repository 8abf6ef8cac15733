"""The signals of a Keras model: its graph, and what really goes through it, on JAX or on PyTorch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.given import Given
from fanin.frameworks.keras import signal
from fanin.frameworks.keras.apply import apply_plan
from fanin.frameworks.readings import Reading
from fanin.graph.signal import SignalGraph
from fanin.schemes.plan import InitPlan


def channel_axis(dimensions: int) -> int:
    """Return the axis of the channels of an input that does not say."""
    return 1 if keras.config.image_data_format() == "channels_first" and dimensions > 3 else -1


def signal_graph(
    model: keras.Model, given: Given, *, train: bool = False, laws: Mapping[str, Any] | None = None
) -> SignalGraph:
    """Return what a model computes, without running it.

    Args:
        model: A built model.
        given: Its inputs.
        train: Whether as in training.
        laws: What variables are distributed by, in the place of their values.
    """
    return signal.signal_graph(model, _described(model, given), train=train, laws=laws)


def types_of(model: keras.Model) -> dict[str, str]:
    """Return the type of every layer in a model, by its path."""
    return {place.path: place.type for place in signal.places_of(model).values()}


def starts(model: keras.Model) -> bool:
    """Return whether a model says how to make it anew: it does not."""
    return False


def drawn(plan: InitPlan, model: keras.Model, seed: int, given: Given) -> keras.Model:
    """Return a model with the values of a plan, the same one.

    Args:
        plan: What to draw.
        model: The model.
        seed: Of the values.
        given: Its inputs.
    """
    return apply_plan(plan, model, seed)


@contextlib.contextmanager
def kept(model: keras.Model) -> Iterator[None]:
    """Put the values of a model's variables back when the block ends."""
    before = [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in model.variables]
    try:
        yield
    finally:
        for variable, values in zip(model.variables, before, strict=True):
            variable.assign(values)


def seeded(seed: int | None) -> contextlib.AbstractContextManager[None]:
    """Put the random state of PyTorch back when the block ends, where Keras runs on it.

    Keras' own seeds come from Python's random numbers.

    Args:
        seed: What to begin with inside; None for what it is.
    """
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    from fanin.frameworks.torch.signals import seeded as torch_seeded

    return torch_seeded(seed)


def reader(
    model: keras.Model, given: Given, *, loss: str | None, train: bool, batches: int, vocabulary: int
) -> Callable[[keras.Model, int], Reading]:
    """Return a function of (model, seed) that runs a model forward and backward and reads its signals.

    Args:
        model: A built model.
        given: Its inputs.
        loss: What the gradients are of.
        train: Whether to run it as in training.
        batches: How many batches to take the mean over.
        vocabulary: How many tokens there are where an input does not say.
    """
    if signal.backend_of(model) == "torch":
        from fanin.frameworks.keras.torch_reader import read_on_torch

        def read(network: keras.Model, seed: int) -> Reading:
            return read_on_torch(network, given, loss, train, batches, vocabulary, seed)

        return read
    from fanin.frameworks.jax.measure import Reader

    call = signal.call_on_jax(model, _described(model, given), train)
    reading = Reader(call, given, loss=loss, batches=batches, vocabulary=vocabulary)
    return lambda network, seed: reading.read([v.value for v in signal.variables_of(network)], seed)


def _described(model: keras.Model, given: Given) -> Any:
    """Return descriptions of the inputs: real zeros for PyTorch, which are cheap, shapes for JAX."""
    if given.named:
        raise FaninError("Inputs of a Keras model have no names here.", fix="give them in the model's order")
    if keras.backend.backend() == "torch":
        import torch

        return tuple(
            torch.zeros(one.shape, dtype=torch.int64 if one.tokens else getattr(torch, one.dtype))
            for one in given
        )
    from fanin.frameworks.jax.signals import described

    found = tuple(described(given))
    return found[0] if len(found) == 1 else found
