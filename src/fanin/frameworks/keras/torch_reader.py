"""What really goes through a Keras model on PyTorch: its layers' calls are watched."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import torch

from fanin.errors import users_code
from fanin.frameworks.cotangents import cotangent
from fanin.frameworks.given import Given
from fanin.frameworks.inputs import Inputs
from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.keras.signal import as_called, mode_of, places_of
from fanin.frameworks.readings import LayerReading, Moments, Reading, averaged
from fanin.frameworks.sampling import drawn
from fanin.frameworks.torch.keeping import seeded
from fanin.frameworks.torch.watching import moments_of


def read_on_torch(
    model: keras.Model, given: Given, loss: str | None, train: bool, batches: int, vocabulary: int, seed: int
) -> Reading:
    """Return what a model does, the mean of all batches; its variables are left as they were.

    Args:
        model: A built model.
        given: Its inputs.
        loss: What the gradients are of.
        train: Whether as in training.
        batches: How many batches.
        vocabulary: How many tokens there are where an input does not say.
        seed: Of inputs and targets.
    """
    readings = []
    for number in range(batches):
        with seeded(seed + number), users_code(f"{model.name} fails"):
            readings.append(_read(model, given, loss, train, vocabulary, (seed, number)))
    return averaged(readings)


def _read(
    model: keras.Model, given: Given, loss: str | None, train: bool, vocabulary: int, seed: tuple[int, int]
) -> Reading:
    random = np.random.default_rng(seed)
    inputs = tuple(_drawn(one, random, vocabulary) for one in given)
    state = [(v, v.value.detach().clone()) for v in model.non_trainable_variables]
    with torch.enable_grad(), _watched(model, given.examples) as (layers, gradients):
        called = as_called(model, inputs)
        results = model(*(called if isinstance(called, tuple) else (called,)), **mode_of(model, train))
        outputs = [one for one in keras.tree.flatten(results) if one.requires_grad]
        starts = [_start(loss, output, random) for output in outputs]
        trained = list(model.trainable_variables)
        wanted = [*(v.value for v in trained), *(x for x in inputs if x.requires_grad)]
        found = torch.autograd.grad(outputs, wanted, starts, allow_unused=True)
    for variable, values in state:  # statistics and seeds that a call counts on
        variable.assign(values)
    names = dict(zip(map(id, model.variables), canonical_paths(model), strict=True))
    parameters = tuple(
        (names[id(v)], tuple(v.shape), _square(v.value), None if gradient is None else _square(gradient))
        for v, gradient in zip(trained, found, strict=False)
    )
    return Reading(tuple(replace(one, gradient=gradients.get(one.name)) for one in layers), parameters)


@contextlib.contextmanager
def _watched(model: keras.Model, examples: int) -> Iterator[tuple[list[LayerReading], dict[str, Moments]]]:
    """Read what every layer returns while the block runs, and the gradients with respect to it."""
    places, calls = places_of(model), dict[str, int]()
    layers: list[LayerReading] = []
    gradients: dict[str, Moments] = {}
    own = keras.layers.Layer.__call__

    def take(name: str, gradient: torch.Tensor) -> None:
        gradients[name] = moments_of(gradient, examples)

    @functools.wraps(own)
    def watched(layer: Any, *args: Any, **kwargs: Any) -> Any:
        results, place = own(layer, *args, **kwargs), places.get(id(layer))
        output = next((one for one in keras.tree.flatten(results) if isinstance(one, torch.Tensor)), None)
        if place is None or output is None:
            return results
        calls[place.path] = calls.get(place.path, 0) + 1
        name = place.path if calls[place.path] == 1 else f"{place.path}#{calls[place.path]}"
        layers.append(LayerReading(name, place.type, tuple(output.shape), moments_of(output, examples)))
        if output.requires_grad:
            output.register_hook(functools.partial(take, name))
        return results

    type.__setattr__(keras.layers.Layer, "__call__", watched)
    try:
        yield layers, gradients
    finally:
        type.__setattr__(keras.layers.Layer, "__call__", own)


def _drawn(inputs: Inputs, random: np.random.Generator, vocabulary: int) -> torch.Tensor:
    values = drawn(inputs, random, channel=-1, vocabulary=vocabulary)
    made = torch.as_tensor(np.array(values), dtype=torch.int64 if inputs.tokens else torch.float32)
    return made.requires_grad_(made.is_floating_point())


def _start(loss: str | None, output: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    values = output.detach().to("cpu", torch.float64).numpy()
    return torch.from_numpy(cotangent(loss, values, random)).to(output.device, output.dtype)


def _square(tensor: torch.Tensor) -> float:
    return tensor.detach().double().square().mean().item()
