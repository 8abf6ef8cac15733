"""A model run once, to learn which of its modules call which, and the shapes of what goes between them."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from fanin.frameworks.torch.graph.exporting import in_mode, tensors_of, without_cache
from fanin.frameworks.torch.graph.inputs import device_of
from fanin.frameworks.torch.inventory import is_parametrization
from fanin.frameworks.torch.keeping import kept, seeded

_LARGEST = 100_000_000
"""So many numbers of a model on the meta device are made, to run it."""

Forward = Callable[..., Any]
Wrap = Callable[[nn.Module, Forward], Forward]


@dataclass(frozen=True)
class Described:
    """What stands for a tensor: its shape and its type."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(eq=False)
class Called:
    """A call of a module.

    Args:
        module: The module.
        args: What it was called with, tensors described.
        kwargs: The same by name.
        result: What it returned, tensors described.
        calls: The calls of modules that it made itself, in their order.
        returned: Whether it returned: if not, it raised.
    """

    module: nn.Module
    args: Any
    kwargs: Any
    result: Any = None
    calls: list[Called] = field(default_factory=list)
    returned: bool = False


def rehearsed(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, train: bool
) -> Called | None:
    """Return how a model's modules call each other; None where it fails, or is too large to be made.

    Args:
        model: The model; it is left as it was. Of one on the meta device a copy with noise is run.
        args: What it is called with; zeros are replaced by noise, with which other ways may be gone.
        kwargs: The same by name.
        train: Whether as in training.
    """
    if device_of(model).type != "meta":
        return _run(model, args, kwargs, train)
    if sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers())) > _LARGEST:
        return None
    copied = _real(model)
    args, kwargs = tree_map(_on_cpu, (args, dict(kwargs)))
    found = _run(copied, args, kwargs, train)
    if found is not None:
        _rename(found, dict(zip(copied.modules(), model.modules(), strict=True)))
    return found


def _real(model: nn.Module) -> nn.Module:
    """Return a copy of a model on the meta device that has values."""
    copied = copy.deepcopy(model).to_empty(device="cpu")
    with torch.no_grad(), seeded(0):
        for tensor in copied.parameters():
            tensor.normal_(0, 0.02) if tensor.is_floating_point() else tensor.zero_()
        for tensor in copied.buffers():
            tensor.fill_(1) if tensor.is_floating_point() else tensor.zero_()
    return copied


def _on_cpu(value: Any) -> Any:
    return torch.zeros_like(value, device="cpu") if isinstance(value, torch.Tensor) else value


def _rename(call: Called, modules: Mapping[nn.Module, nn.Module]) -> None:
    call.module = modules[call.module]
    for part in call.calls:
        _rename(part, modules)


def _run(model: nn.Module, args: Any, kwargs: Mapping[str, Any], train: bool) -> Called | None:
    root: list[Called] = []
    running: list[Called] = []

    def wrap(module: nn.Module, forward: Forward) -> Forward:
        def noted(*args: Any, **kwargs: Any) -> Any:
            call = Called(module, described(args), described(kwargs))
            (running[-1].calls if running else root).append(call)
            running.append(call)
            try:
                result = forward(*args, **kwargs)
            finally:
                running.pop()
            call.result, call.returned = described(result), True
            return result

        return noted

    with contextlib.ExitStack() as stack:
        for block in (seeded(0), in_mode(model, train), kept(model.buffers()), torch.no_grad()):
            stack.enter_context(block)
        stack.enter_context(forwards_wrapped(model, wrap))
        args, named = tree_map(_lively, (args, {**without_cache(model), **kwargs}))
        try:
            model(*args, **named)
        except Exception:  # the model's own mistake, which its trace tells
            return None
    return root[0] if root and root[0].returned else None


@contextlib.contextmanager
def forwards_wrapped(model: nn.Module, wrap: Wrap) -> Iterator[None]:
    """Let all modules of a model compute what wraps their own forward, inside of the block."""
    changed = []
    for path, module in model.named_modules():
        if is_parametrization(path) or isinstance(module, torch.jit.ScriptModule):
            continue
        before = vars(module).get("forward")
        object.__setattr__(module, "forward", functools.wraps(module.forward)(wrap(module, module.forward)))
        changed.append((module, before))
    try:
        yield
    finally:
        for module, before in changed:
            object.__delattr__(module, "forward")
            if before is not None:
                object.__setattr__(module, "forward", before)


def described(values: Any) -> Any:
    """Return values with descriptions in the place of tensors."""
    return tree_map(
        lambda one: Described(tuple(one.shape), one.dtype) if isinstance(one, torch.Tensor) else one, values
    )


def is_plain(values: Any) -> bool:
    """Return whether all tensors among described values were found: none is hidden in another object."""
    hidden: list[Any] = []

    def look(one: Any) -> None:
        if any(True for _ in tensors_of(one)):
            hidden.append(one)

    tree_map(look, values)
    return not hidden


def _lively(value: Any) -> Any:
    """Return a tensor with values that go all ways: noise in the place of zeros."""
    if not isinstance(value, torch.Tensor):
        return value
    zeros = value.is_floating_point() and not bool(value.any())
    return torch.randn_like(value) if zeros else value.clone()
