"""The signals of a PyTorch module: its graph, and what really goes through it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from fanin.errors import FaninError
from fanin.frameworks.cotangents import cotangent
from fanin.frameworks.given import Given
from fanin.frameworks.inputs import Inputs
from fanin.frameworks.readings import Reading, averaged
from fanin.frameworks.sampling import drawn as drawn_inputs
from fanin.frameworks.torch import graph
from fanin.frameworks.torch.apply import apply_plan
from fanin.frameworks.torch.fill import on_meta
from fanin.frameworks.torch.graph.exporting import in_mode, tensors_of, without_cache
from fanin.frameworks.torch.graph.failures import failure
from fanin.frameworks.torch.inventory import uncompiled
from fanin.frameworks.torch.watching import Watch
from fanin.graph.signal import SignalGraph
from fanin.schemes.plan import InitPlan


def channel_axis(dimensions: int) -> int:
    """Return the axis of the channels of an input that does not say: PyTorch's images have them first."""
    return 1 if dimensions > 3 else -1


def signal_graph(
    model: nn.Module, given: Given, *, train: bool = False, laws: Mapping[str, Any] | None = None
) -> SignalGraph:
    """Return what a module computes, without running it.

    Args:
        model: The module.
        given: Its inputs.
        train: Whether as in training.
        laws: What parameters are distributed by, in the place of what they hold or declare.
    """
    examples = [_described(one, model) for one in given.positional]
    named = {name: _described(one, model) for name, one in given.named.items()}
    return graph.signal_graph(model, _all(model, examples, named), train=train, laws=laws)


def types_of(model: nn.Module) -> dict[str, str]:
    """Return the type of every module in a model, by its path."""
    return {path: type(module).__name__ for path, module in uncompiled(model).named_modules()}


def starts(model: nn.Module) -> bool:
    """Return whether a module says how to make it anew: it does not."""
    return False


def drawn(plan: InitPlan, model: nn.Module, seed: int, given: Given) -> nn.Module:
    """Return a module with the values of a plan: the same one, or where it holds no values a real copy.

    Args:
        plan: What to draw.
        model: The module.
        seed: Of the values.
        given: Its inputs.
    """
    return apply_plan(plan, copy.deepcopy(model) if on_meta(iter(model.parameters())) else model, seed)


@contextlib.contextmanager
def kept(model: nn.Module) -> Iterator[None]:
    """Put the values of a module's parameters and buffers back when the block ends.

    Args:
        model: The module.
    """
    tensors = [*model.parameters(), *model.buffers()]
    before = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, values in zip(tensors, before, strict=True):
                tensor.copy_(values)


@contextlib.contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Put PyTorch's random state back when the block ends.

    Args:
        seed: What to begin with inside; None for what it is.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        if seed is not None:
            torch.manual_seed(seed)
        yield


def reader(
    model: nn.Module, given: Given, *, loss: str | None, train: bool, batches: int, vocabulary: int
) -> Callable[[nn.Module, int], Reading]:
    """Return a function of (module, seed) that runs a module forward and backward and reads its signals.

    Args:
        model: The module.
        given: Its inputs.
        loss: What the gradients are of.
        train: Whether to run it as in training.
        batches: How many batches to take the mean over.
        vocabulary: How many tokens there are where an input does not say.
    """

    def read(network: nn.Module, seed: int) -> Reading:
        return averaged([_read(network, given, loss, train, vocabulary, (seed, n)) for n in range(batches)])

    return read


def _read(
    model: nn.Module, given: Given, loss: str | None, train: bool, vocabulary: int, seed: tuple[int, int]
) -> Reading:
    if on_meta(iter(model.parameters())):
        raise FaninError(
            f"{type(model).__name__} is on the meta device, where nothing can be measured.",
            fix="give a scheme, which makes it real, or the model itself on a device",
        )
    random, model = np.random.default_rng(seed), uncompiled(model)
    positional = [_drawn(one, model, random, vocabulary) for one in given.positional]
    named = {name: _drawn(one, model, random, vocabulary) for name, one in given.named.items()}
    leaves = [one for one in (*positional, *named.values()) if one.requires_grad]
    trained = [p for p in model.parameters() if p.requires_grad]
    with seeded(seed[0] + seed[1]), in_mode(model, train), _buffers_kept(model), _all_trained(model):
        with torch.enable_grad(), Watch(model, given.examples) as watch:
            try:
                # Of copies, which may be changed in place.
                results = model(
                    *(one.clone() for one in positional),
                    **{name: one.clone() for name, one in named.items()},
                    **without_cache(model),
                )
            except Exception as error:  # a model's own code fails in as many ways as there are models
                raise failure(model, error) from error
            outputs = [one for one in tensors_of(results) if one.requires_grad]
            starts = [_start(loss, output, random) for output in outputs]
            wanted = [*leaves, *(p for p in model.parameters() if p.requires_grad)]
            gradients = torch.autograd.grad(outputs, wanted, starts, allow_unused=True) if outputs else ()
        found = {id(p): g for p, g in zip(wanted, gradients, strict=False)}
        return watch.reading([(p, found.get(id(p))) for p in trained])


def _start(loss: str | None, output: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    values = output.detach().to("cpu", torch.float64).numpy()
    classes = 1 if output.ndim > 3 else -1
    start = torch.from_numpy(cotangent(loss, values, random, classes=classes if loss else -1))
    return start.to(output.device, output.dtype)


def _drawn(inputs: Inputs, model: nn.Module, random: np.random.Generator, vocabulary: int) -> torch.Tensor:
    values = drawn_inputs(inputs, random, channel=channel_axis(len(inputs.shape)), vocabulary=vocabulary)
    made = torch.as_tensor(np.array(values), device=_like(model).device)
    made = made.to(_dtype(inputs, model))
    return made.requires_grad_(made.is_floating_point())


def _described(inputs: Inputs, model: nn.Module) -> torch.Tensor:
    if isinstance(inputs.data, torch.Tensor):
        return inputs.data
    return torch.zeros(inputs.shape, dtype=_dtype(inputs, model), device=_like(model).device)


def _dtype(inputs: Inputs, model: nn.Module) -> torch.dtype:
    """Return the type of an input: what the module computes with, where it does not say."""
    if isinstance(inputs.data, torch.Tensor):
        return inputs.data.dtype
    if inputs.tokens:
        return torch.bool if inputs.dtype == "bool" else torch.int64
    own = _like(model).dtype
    return own if inputs.dtype == "float32" and own.is_floating_point else getattr(torch, inputs.dtype)


def _like(model: nn.Module) -> torch.Tensor:
    tensors = [*model.parameters(), *model.buffers()]
    floating = (tensor for tensor in tensors if tensor.is_floating_point())
    return next(floating, torch.zeros(()))


def _all(model: nn.Module, positional: list[torch.Tensor], named: dict[str, torch.Tensor]) -> Any:
    """Return inputs as tracing takes them: a tuple, or a mapping where they have names."""
    if not named:
        return tuple(positional)
    if positional:
        raise FaninError("Some inputs have names and others have not.", fix="give all of them names, or none")
    return named


@contextlib.contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    buffers = list(model.buffers())
    before = [buffer.detach().clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, values in zip(buffers, before, strict=True):
                buffer.copy_(values)


@contextlib.contextmanager
def _all_trained(model: nn.Module) -> Iterator[None]:
    """Let gradients flow through frozen parts too."""
    frozen = [p for p in model.parameters() if p.is_floating_point() and not p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
