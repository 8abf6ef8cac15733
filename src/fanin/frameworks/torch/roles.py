"""Repeated blocks in a module, and the convolutions that end their residual branches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from fanin.frameworks.roles import Structure
from fanin.graph import roles
from fanin.graph.parameter import Parameter

_HEADS = ("num_heads", "num_attention_heads", "n_head", "n_heads", "heads")


class ModuleStructure:
    """The repeated blocks of a module: children of a container that are of one class.

    Args:
        model: The module.
    """

    def __init__(self, model: nn.Module) -> None:
        self._modules = dict(model.named_modules())
        self._structure = Structure(list(_candidates(model)))
        self._last_convolutions = set(_last_convolutions(model))

    def placed(self, parameter: Parameter, path: str) -> Parameter:
        """Return a parameter of the layer at a path with its block and the roles that follow from it."""
        placed = self._structure.placed(parameter, path)
        if not placed.heads and {roles.query, roles.key} & set(placed.roles):
            placed = replace(placed, heads=self._heads(path))
        if path in self._last_convolutions and parameter.kind == "kernel":
            return replace(placed, roles=(*placed.roles, roles.residual_out))
        return placed

    def _heads(self, path: str) -> int:
        """Return the heads of the attention that a projection belongs to, 0 where it does not say."""
        owner = self._modules.get(path.rpartition(".")[0])
        found = (getattr(owner, name, None) for name in _HEADS)
        return next((count for count in found if isinstance(count, int)), 0)


def _candidates(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield (path, class) of the children of containers that have layers of their own."""
    for path, container in model.named_modules():
        if isinstance(container, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            for name, child in container.named_children():
                plain = isinstance(child, nn.Sequential | nn.ModuleList | nn.MultiheadAttention)
                if not plain and any(True for _ in child.children()):
                    yield f"{path}.{name}" if path else name, type(child).__name__


def _last_convolutions(model: nn.Module) -> Iterator[str]:
    """Yield the last convolution on the branch of each module that has a shortcut beside it."""
    for path, block in model.named_modules():
        shortcuts = tuple(
            name for name in ("downsample", "shortcut") if name in block._modules or name in vars(block)
        )
        if not shortcuts:
            continue
        branch = [
            name
            for name, layer in block.named_modules()
            if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d) and not name.startswith(shortcuts)
        ]
        if branch:
            yield f"{path}.{branch[-1]}" if path else branch[-1]
