"""A PyTorch module is what it was: its values, and what its own code writes down while it runs."""

from __future__ import annotations

import contextlib
import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

_Restore = Callable[[], Any]


@contextlib.contextmanager
def held(module: nn.Module, *, parameters: bool = True) -> Iterator[None]:
    """Put a module and the random states back when the block ends.

    Parameters, buffers and gradients have the same values in the same tensors. So have the attributes of each
    part that are numbers, tensors and containers of these, such as the state of metrics, counters, or a list
    of outputs; attributes that are new are gone. Objects of other kinds are left as the block leaves them.

    Args:
        module: The module.
        parameters: Whether to keep a copy of the parameters' values too.

    Example:
        >>> layer = nn.BatchNorm1d(3)
        >>> with held(layer):
        ...     layer.seen = [layer(torch.randn(8, 3))]
        >>> layer.num_batches_tracked.item(), hasattr(layer, "seen")
        (0, False)
    """
    fixed = () if parameters else module.parameters()
    seen: dict[int, _Restore] = {id(one): partial(_same, one) for one in fixed}
    parts = [_restore(vars(part), seen) for part in module.modules()]
    with _random_states():
        try:
            yield
        finally:
            for restore in parts:
                restore()


@contextlib.contextmanager
def _random_states() -> Iterator[None]:
    """Put the random states of Python, NumPy and PyTorch back."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    # A device that nobody has used has no state yet, and asking for it would start it.
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if devices:
            torch.cuda.set_rng_state_all(devices)


def _same(value: Any) -> Any:
    return value


def _restore(value: Any, seen: dict[int, _Restore]) -> _Restore:
    """Return a function that puts what a value holds back, and returns that value."""
    if id(value) not in seen:
        seen[id(value)] = partial(_same, value)  # for what holds itself
        seen[id(value)] = _restore_of(value, seen)
    return seen[id(value)]


def _restore_of(value: Any, seen: dict[int, _Restore]) -> _Restore:
    if isinstance(value, torch.Tensor):
        return _tensor(value)
    # Of these very types: one that inherits from them may do anything when it is filled.
    if type(value) in (dict, OrderedDict, defaultdict):
        items = {key: _restore(one, seen) for key, one in value.items()}
        return lambda: _filled(value, {key: one() for key, one in items.items()})
    if type(value) in (list, deque):
        parts = [_restore(one, seen) for one in value]
        return lambda: _filled(value, [one() for one in parts])
    if type(value) is tuple:
        parts = [_restore(one, seen) for one in value]
        return lambda: [one() for one in parts] and value
    if type(value) is set:
        members = set(value)
        return lambda: _filled(value, members)
    return partial(_same, value)


def _filled(container: Any, content: Any) -> Any:
    container.clear()
    (container.extend if isinstance(container, list | deque) else container.update)(content)
    return container


def _tensor(tensor: torch.Tensor) -> _Restore:
    if tensor.is_meta or nn.parameter.is_lazy(tensor):
        return lambda: tensor
    values, gradient = tensor.detach().clone(), tensor.grad if tensor.is_leaf else None

    def restore() -> torch.Tensor:
        tensor.detach().copy_(values)
        if tensor.is_leaf:
            tensor.grad = gradient
        return tensor

    return restore
