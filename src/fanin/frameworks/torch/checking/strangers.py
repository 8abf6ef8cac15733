"""Weights that a module uses and does not have: those of layers in plain lists, above all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import nn

_DEPTH = 3


def names_of(strangers: Iterable[nn.Parameter], model: nn.Module) -> Iterator[str]:
    """Yield where a module keeps weights that are not registered; their shapes where it does not say.

    Args:
        strangers: The weights; those that ask for no gradient are left out.
        model: The module.
    """
    kept: dict[int, str] = {}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if not name.startswith("_"):
                for found, parameter in _inside(value, f"{path}.{name}" if path else name):
                    kept.setdefault(id(parameter), found)
    for one in strangers:
        if one.requires_grad:
            yield kept.get(id(one), f"a weight of shape {tuple(one.shape)}")


def _inside(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters inside of lists, mappings and modules, with their paths."""
    if isinstance(value, nn.Parameter):
        yield path, value
    elif isinstance(value, nn.Module):
        yield from ((f"{path}.{name}", one) for name, one in value.named_parameters())
    elif depth < _DEPTH and isinstance(value, list | tuple | Mapping):
        each = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, one in each:
            yield from _inside(one, f"{path}[{key!r}]", depth + 1)
