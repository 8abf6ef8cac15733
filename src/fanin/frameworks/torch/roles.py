"""Roles of parameters in a module: its repeated blocks, what ends a residual branch, the head."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import nn

from fanin.graph.parameter import Parameter

_ATTENTION = {
    "query": re.compile(r"(^|[._])(q|query|q_proj|to_q|wq)$"),
    "key": re.compile(r"(^|[._])(k|key|k_proj|to_k|wk)$"),
    "value": re.compile(r"(^|[._])(v|value|v_proj|to_v|wv)$"),
}
_ATTENTION_OUT = re.compile(
    r"(attn|attention|attend)\w*(\.\w+)*\.(out_proj|o_proj|c_proj|to_out|proj|wo|output\.dense|dense)(\.0)?$"
)
# The last kernel of a feed-forward branch, as the common code bases call it.
_FEED_FORWARD_OUT = re.compile(
    r"(^|\.)(linear2|fc2|down_proj|c_proj|w2|wo|lin2|dense_4h_to_h|mlp\.3|mlp\.2|output\.dense|ffn\.output)$"
)


class Structure:
    """The repeated blocks of a module: children of a container that are of one class.

    Args:
        model: The module.
    """

    def __init__(self, model: nn.Module) -> None:
        self._blocks = dict(_blocks(model))
        counts = Counter(kind for kind, _ in self._blocks.values())
        self._counts = counts
        self._last_convs = set(_last_convolutions(model, self._blocks))

    def placed(self, parameter: Parameter, path: str) -> Parameter:
        """Return a parameter with its block and the roles that follow from it."""
        block = self._block(path)
        if block is None:
            return replace(parameter, blocks=max(self._counts.values(), default=0))
        kind, place = self._blocks[block]
        roles = tuple(dict.fromkeys([*parameter.roles, *self._roles(parameter, path)]))
        return replace(parameter, block=place, blocks=self._counts[kind], roles=roles)

    def headed(self, parameters: Sequence[Parameter]) -> Iterator[Parameter]:
        """Yield the parameters, the last kernel outside of the blocks as the head."""
        last = next(
            (p for p in reversed(parameters) if p.kind == "kernel" and p.layer == "Linear" and not p.roles),
            None,
        )
        for parameter in parameters:
            alone = parameter is last and parameter.block is None
            yield replace(parameter, roles=("head",)) if alone else parameter

    def _block(self, path: str) -> str | None:
        parts = path.split(".")
        # The outermost block counts: a block's own containers are inside of it.
        prefixes = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
        return next((prefix for prefix in prefixes if prefix in self._blocks), None)

    def _roles(self, parameter: Parameter, path: str) -> Iterator[str]:
        if parameter.kind != "kernel":
            return
        yield from (role for role, pattern in _ATTENTION.items() if pattern.search(path))
        if _ATTENTION_OUT.search(path):
            yield "attention_out"
            yield "residual_out"
        elif _FEED_FORWARD_OUT.search(path) or path in self._last_convs:
            yield "residual_out"


def _blocks(model: nn.Module) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield (path, (class, place among its class)) of the outermost repeated blocks."""
    seen: Counter[str] = Counter()
    found: list[str] = []
    kinds = Counter(kind for _, kind in _children_of_containers(model))
    for path, kind in _children_of_containers(model):
        inside = any(path.startswith(f"{outer}.") for outer in found)
        if kinds[kind] > 1 and not inside:
            found.append(path)
            yield path, (kind, seen[kind])
            seen[kind] += 1


def _children_of_containers(model: nn.Module) -> Iterator[tuple[str, str]]:
    for path, container in model.named_modules():
        if isinstance(container, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            for name, child in container.named_children():
                if _is_block(child):
                    yield f"{path}.{name}" if path else name, type(child).__name__


def _is_block(child: nn.Module) -> bool:
    """Return whether a child is more than a layer: it has layers of its own."""
    plain = isinstance(child, nn.Sequential | nn.ModuleList | nn.MultiheadAttention)
    return not plain and any(True for _ in child.children())


def _last_convolutions(model: nn.Module, blocks: dict[str, tuple[str, int]]) -> Iterator[str]:
    """Yield the last convolution on the branch of each block that has a shortcut."""
    for path in blocks:
        block = model.get_submodule(path)
        if not hasattr(block, "downsample") and not hasattr(block, "shortcut"):
            continue
        branch = [
            name
            for name, layer in block.named_modules()
            if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
            and not name.startswith(("downsample", "shortcut"))
        ]
        if branch:
            yield f"{path}.{branch[-1]}"
