"""Initializers watched while they fill tensors without values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fanin.frameworks.torch.laws import draws
from fanin.frameworks.torch.laws.draws import Draw
from fanin.frameworks.torch.laws.memory import Memories

_FILLS: dict[str, Callable[..., Draw]] = {
    "aten.normal_": draws.normal,
    "aten.uniform_": draws.uniform,
    "aten.exponential_": draws.exponential,
    "aten.zero_": lambda: draws.constant(0.0),
    "aten.randn": lambda *_: draws.normal(),
    "aten.rand": lambda *_: draws.uniform(),
    "aten.randn_like": lambda *_: draws.normal(),
    "aten.rand_like": lambda *_: draws.uniform(),
    "aten.ones": lambda *_: draws.constant(1.0),
    "aten.zeros": lambda *_: draws.constant(0.0),
    "aten.ones_like": lambda *_: draws.constant(1.0),
    "aten.zeros_like": lambda *_: draws.constant(0.0),
    "aten.new_ones": lambda *_: draws.constant(1.0),
    "aten.new_zeros": lambda *_: draws.constant(0.0),
    "aten.full": lambda _, value: draws.constant(value),
    "aten.full_like": lambda value: draws.constant(value),
    "aten.new_full": lambda _, value: draws.constant(value),
}
_COUNTED = ("aten.arange", "aten.linspace", "aten.logspace", "aten.eye", "aten.scalar_tensor")
_COPIES = ("aten.clone", "aten._to_copy", "aten.repeat", "aten._unsafe_view", "aten.lift_fresh_copy")
_NEVER_FILLED = (
    "aten.empty",
    "aten.empty_like",
    "aten.empty_strided",
    "aten.new_empty",
    "aten.new_empty_strided",
)


class Recorder(TorchDispatchMode):
    """Watches what tensors on the meta device are filled with, while it is on.

    Example:
        >>> weight = torch.nn.Parameter(torch.empty(3, 4, device="meta"))
        >>> with Recorder() as recorder:
        ...     _ = torch.nn.init.uniform_(weight, -3.0, 3.0)
        >>> recorder.memories.law(weight)
        Law(mean=0.0, variance=3.0, name='uniform', orthogonal=False)
    """

    def __init__(self) -> None:
        super().__init__()
        self.memories = Memories()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        results = func(*args, **kwargs)
        name = str(func).rpartition(".")[0]
        if isinstance(results, torch.Tensor) and results.is_meta:
            self._note(func, name, results, args, kwargs)
        return results

    def _note(self, func: Any, name: str, result: torch.Tensor, args: Any, kwargs: Any) -> None:
        """Say what a result holds, from what its operands hold."""
        if name in _NEVER_FILLED or func.is_view:
            return
        self.memories.fill(result, self._draw(func, name, result, args, kwargs))

    def _draw(self, func: Any, name: str, result: torch.Tensor, args: Any, kwargs: Any) -> Draw | None:
        if name in _FILLS:
            first = [arg for arg in args if not isinstance(arg, torch.Tensor)]
            return _FILLS[name](*first)
        if name in _COUNTED:
            return draws.known(_on_cpu(func, args, kwargs))
        if name in ("aten.copy_", "aten.fill_"):
            return self._of(args[1])
        if name in _COPIES:
            return self._of(args[0])
        return self._changed(func, name, args, kwargs)

    def _of(self, source: Any) -> Draw | None:
        if not isinstance(source, torch.Tensor):
            return draws.constant(source)
        return self.memories.single(source) if source.is_meta else draws.known(source)

    def _changed(self, func: Any, name: str, args: Any, kwargs: Any) -> Draw | None:
        """Return the distribution after a function of each value, with nothing but numbers beside it."""
        tensors = [arg for arg in (*args, *kwargs.values()) if isinstance(arg, torch.Tensor)]
        if len(tensors) > 1 or not tensors or torch.Tag.pointwise not in func.tags:
            return None
        old = self.memories.single(tensors[0])
        if old is None:
            return None
        plain = name.removeprefix("aten.").removesuffix("_")
        if plain in ("mul", "div") and tensors[0] is args[0]:
            return old.scaled(args[1] if plain == "mul" else 1 / args[1])
        if plain in ("add", "sub") and not kwargs and tensors[0] is args[0]:
            return old.scaled(1.0, args[1] if plain == "add" else -args[1])
        return old.mapped(
            lambda points: func(*(points if arg is tensors[0] else arg for arg in args), **kwargs)
        )

    # What PyTorch's initializers leave out on the meta device.

    def truncated_normal(self, tensor: torch.Tensor, mean: float, sd: float, low: float, high: float) -> None:
        """Note values of torch.nn.init.trunc_normal_."""
        self.memories.fill(tensor, draws.truncated(mean, sd, low, high))

    def orthogonal(self, tensor: torch.Tensor, gain: float) -> None:
        """Note values of torch.nn.init.orthogonal_."""
        self.memories.fill(tensor, draws.orthogonal(tensor.shape, gain))

    def sparse(self, tensor: torch.Tensor, sparsity: float, sd: float) -> None:
        """Note values of torch.nn.init.sparse_."""
        self.memories.fill(tensor, draws.sparse(tensor.shape, sparsity, sd))

    def dirac(self, tensor: torch.Tensor, groups: int) -> None:
        """Note values of torch.nn.init.dirac_."""
        self.memories.fill(
            tensor, draws.known(torch.nn.init.dirac_(torch.empty(tensor.shape, device="cpu"), groups))
        )


def _on_cpu(func: Any, args: Any, kwargs: Any) -> torch.Tensor:
    """Return the values that a result on the meta device stands for."""
    plain = {name: value for name, value in kwargs.items() if name not in ("device", "pin_memory", "out")}
    if "out" in kwargs:
        return torch.eye(*args, device="cpu")
    return func(*args, **plain, device="cpu")
