"""Weights that a module uses and does not have: layers in plain lists, tensors that are plain attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from fanin.frameworks.torch.checking import units

_DEPTH = 3
_OWN = frozenset(vars(nn.Module()))


class Strangers:
    """Sees which tensors take part that a module keeps and does not register, and that ask for gradients.

    One that is made of the module's own parameters stays out, as weights of a parametrization are, and one
    with respect to which a derivative is taken on the way, as coordinates of a differential equation are.

    Args:
        model: The module.
    """

    def __init__(self, model: nn.Module) -> None:
        self._own = {id(one) for one in model.parameters()}
        self._kept = {id(one): (path, one) for path, one in _kept(model) if self._is_strange(one)}
        self._used: dict[int, torch.Tensor] = {}
        self._inputs: set[int] = set()

    @property
    def names(self) -> Iterator[str]:
        """Where those are kept that were used; their shapes where nothing says it."""
        for number, one in self._used.items():
            if number not in self._inputs and one.requires_grad:
                yield self._kept.get(number, (f"a weight of shape {tuple(one.shape)}",))[0]

    def add(self, weight: torch.Tensor) -> None:
        """Take down a weight that was used, and that is none of the module's.

        Args:
            weight: The weight.
        """
        self._used[id(weight)] = weight

    def see(self, func: Any, args: Iterable[Any], result: Any) -> None:
        """Look at a call of a function.

        Args:
            func: The function.
            args: What it was called with.
            result: What it has returned.
        """
        if not self._kept:
            return
        if func is torch.autograd.grad:
            self._inputs |= {id(one) for one in _flat(args)}
        elif isinstance(result, torch.Tensor) and result.requires_grad:
            for one in map(units.unwrapped, _flat(args)):
                if id(one) in self._kept:
                    self.add(one)

    def _is_strange(self, one: torch.Tensor) -> bool:
        if not one.requires_grad or id(one) in self._own:
            return False
        return one.is_leaf or not any(id(leaf) in self._own for leaf in _leaves(one))


def _flat(args: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Yield tensors, and those in lists and tuples."""
    for one in args:
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, list | tuple):
            yield from (inner for inner in one if isinstance(inner, torch.Tensor))


def _leaves(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the tensors that one was made of, and that were made of nothing."""
    ahead, seen = [tensor.grad_fn], set()
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(leaf := getattr(node, "variable", None), torch.Tensor):
            yield leaf
        ahead += [inner for inner, _ in node.next_functions]


def _kept(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield tensors in attributes of modules that are not what modules register, with their paths."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in _OWN:
                yield from _inside(value, f"{path}.{name}" if path else name)


def _inside(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors inside of lists, mappings and modules, with their paths."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, nn.Module):
        yield from ((f"{path}.{name}", one) for name, one in value.named_parameters())
    elif depth < _DEPTH and isinstance(value, list | tuple | Mapping):
        each = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, one in each:
            yield from _inside(one, f"{path}[{key!r}]", depth + 1)
