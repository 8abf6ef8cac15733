"""Laws of a module on the meta device, from its initializers."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fanin.frameworks.torch.laws.constructors import draws_itself
from fanin.frameworks.torch.laws.memory import Memories
from fanin.frameworks.torch.laws.recorder import Recorder
from fanin.frameworks.torch.laws.skipped import told_to

_RECORDED = "_fanin_declared"
"""Attribute of a module that keeps what was recorded while it was made."""


@dataclass(frozen=True)
class Declared:
    """What initializers fill tensors without values with.

    Args:
        memories: By tensor.
        unseen: Types of modules whose constructors draw, which was not seen.
        contested: Types of modules that share a tensor with another one, each of which fills it otherwise.
    """

    memories: Memories
    unseen: tuple[str, ...] = ()
    contested: tuple[str, ...] = ()


@contextlib.contextmanager
def _recording() -> Iterator[Memories]:
    recorder = Recorder()
    with torch.no_grad(), told_to(recorder), recorder:
        yield recorder.memories


def recorded(build: Callable[[], nn.Module]) -> nn.Module:
    """Return a module made on the meta device, with the laws that its initializers declare.

    All that draws is seen, in constructors too, and nothing is held in memory.

    Args:
        build: Makes it.

    Example:
        >>> model = recorded(lambda: nn.Linear(4, 3))
        >>> declared(model).memories.law(model.weight)
        Law(mean=0.0, variance=0.08333..., name='uniform', orthogonal=False)
    """
    with torch.device("meta"):
        return watched(build)


def declaring(model: nn.Module, build: Callable[[], nn.Module]) -> nn.Module:
    """Return the module that a function made, or one that was watched in the making if it holds no values.

    Args:
        model: The module.
        build: Made it, and does so again.
    """
    return watched(build) if any(parameter.is_meta for parameter in model.parameters()) else model


def watched(build: Callable[[], nn.Module]) -> nn.Module:
    """Return a module with the laws that initializers declare of what it has on the meta device.

    Args:
        build: Makes it, on the devices that it says itself.
    """
    with _recording() as memories:
        model = build()
        for layer in _inside_out(model):
            if hasattr(layer, "_init_weights") and hasattr(layer, "config"):
                _initialized(layer)  # Hugging Face leaves it out on the meta device
    object.__setattr__(model, _RECORDED, Declared(memories))
    return model


def declared(model: nn.Module) -> Declared:
    """Return what the initializers of a module on the meta device fill it with.

    They are those that were seen by `recorded`; else they are run again: of each layer its
    `reset_parameters`, then its `_init_weights` or `init_weights`, as the constructors of PyTorch, Hugging
    Face, timm and others run them. Parts whose constructors draw by themselves stay unknown.

    Args:
        model: The module; nothing in it changes.
    """
    kept = getattr(model, _RECORDED, None)
    if kept is not None:
        return kept
    unseen: dict[str, None] = {}
    contested: dict[str, None] = {}
    with _recording() as memories:
        for layer in _inside_out(model):
            if _fills_otherwise(layer, memories):
                contested[type(layer).__name__] = None
            _initialized(layer)
            if draws_itself(type(layer)):
                unseen[type(layer).__name__] = None
                for parameter in layer.parameters():
                    memories.fill(parameter, None)
    return Declared(memories, tuple(unseen), tuple(contested))


def _fills_otherwise(layer: nn.Module, memories: Memories) -> bool:
    """Run a layer's initializer; return whether it fills otherwise what is filled: that is unknown then."""
    own = list(layer.parameters(recurse=False))
    before = [memories.law(parameter) for parameter in own]
    _run(getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None))
    changed = [p for p, law in zip(own, before, strict=True) if law not in (None, memories.law(p))]
    for parameter in changed:
        memories.fill(parameter, None)
    return bool(changed)


def _inside_out(model: nn.Module) -> list[nn.Module]:
    """Return all modules whose parameters are all on the meta device, parts before what they are parts of."""
    found: dict[nn.Module, None] = {}

    def visit(module: nn.Module) -> None:
        for child in module.children():
            if child not in found:
                visit(child)
        found[module] = None

    visit(model)
    return [module for module in found if _on_meta(module)]


def _on_meta(module: nn.Module) -> bool:
    return all(tensor.is_meta for tensor in module.parameters())


def _initialized(layer: nn.Module) -> None:
    """Run what fills a module with its parts again: for each of them, or for itself."""
    each = getattr(layer, "_init_weights", None)
    if callable(each) and _wanted(each) == 1:
        for part in _inside_out(layer):
            _run(each, part)
    elif callable(each) and _wanted(each) == 0:
        _run(each)
    elif callable(getattr(layer, "init_weights", None)):
        _run(layer.init_weights)


def _wanted(function: Any) -> int:
    """Return how many arguments a function needs."""
    parameters = inspect.signature(function).parameters.values()
    return sum(
        p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters
    )


def _run(function: Any, *args: Any) -> None:
    """Call an initializer; one that wants more, or does not work on the meta device, says nothing."""
    if function is None or _wanted(function) != len(args):
        return
    with contextlib.suppress(Exception):
        function(*args)
