"""Layers that stand at several places of one list, and are one layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from fanin.frameworks.torch.graph.exporting import tensors_of


class Repeats:
    """Sees which layers that stand at several places of a list return what they could read again.

    Such layers follow each other, as `[layer] * 6` does; heads that are one on purpose do not.

    Args:
        model: The module.
    """

    def __init__(self, model: nn.Module) -> None:
        self._places = dict(_repeated(model))
        self._stacked: set[int] = set()

    @property
    def found(self) -> tuple[tuple[str, ...], ...]:
        """The paths at which each of them stands."""
        return tuple(paths for number, paths in self._places.items() if number in self._stacked)

    def see(self, module: nn.Module, args: Any, result: Any) -> None:
        """Look at a call of a module.

        Args:
            module: The module.
            args: What it was called with.
            result: What it has returned.
        """
        if id(module) in self._places:
            read, made = next(tensors_of(args), None), next(tensors_of(result), None)
            if read is not None and made is not None and read.shape == made.shape:
                self._stacked.add(id(module))


def _repeated(model: nn.Module) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield modules with trained weights that a list has more than once, with their paths."""
    for path, outer in model.named_modules():
        if not isinstance(outer, nn.Sequential | nn.ModuleList):
            continue
        places: dict[int, list[str]] = {}
        for name, inner in outer._modules.items():
            if inner is not None and _learns(inner):
                places.setdefault(id(inner), []).append(f"{path}.{name}" if path else name)
        yield from ((number, tuple(names)) for number, names in places.items() if len(names) > 1)


def _learns(module: nn.Module) -> bool:
    """Return whether a module has weights that are trained, more than the slope of an activation."""
    return any(one.requires_grad and one.ndim > 1 for one in module.parameters() if not _is_lazy(one))


def _is_lazy(one: torch.Tensor) -> bool:
    return nn.parameter.is_lazy(one)
