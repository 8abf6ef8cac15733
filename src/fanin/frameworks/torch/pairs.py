"""Layers of a traced module that follow each other through an activation and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from torch import fx, nn

from fanin.frameworks.pairs import Layer, Link, link, pairs_of
from fanin.frameworks.torch.wiring import activation_of
from fanin.graph.parameter import Pairs

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)
_ELEMENTWISE = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def pairs_of_layers(graph: fx.Graph | None, modules: dict[str, nn.Module]) -> dict[str, Pairs]:
    """Return the layers whose outputs, or inputs, can be paired (see `fanin.graph.parameter.Pairs`).

    A layer's outputs can be where they all go through one activation, and from there to nothing but layers
    that read the two of a pair with the same kernel; then these layers' inputs can.

    Args:
        graph: The module's graph; None where it cannot be traced.
        modules: The module's layers by path.
    """
    return pairs_of(list(_links(graph, modules)) if graph is not None else [])


def _links(graph: fx.Graph, modules: dict[str, nn.Module]) -> Iterator[Link[str]]:
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    for node in graph.nodes:
        layer = _layer(node, modules, calls)
        if layer is None:
            continue
        found = [
            link(layer, activation, _layer(reader, modules, calls), flat=flat)
            for reader, activation, flat in _readers(node, modules)
        ]
        if None not in found:
            yield from (one for one in found if one)


def _layer(node: fx.Node, modules: dict[str, nn.Module], calls: Counter[str]) -> Layer[str] | None:
    """Return the dense layer or convolution that a node calls, if it is called only here."""
    path = str(node.target)
    layer: Any = modules[path] if node.op == "call_module" and calls[path] == 1 else None
    if isinstance(layer, nn.Linear):
        return Layer(path, layer.in_features, layer.out_features)
    if isinstance(layer, _CONVOLUTIONS):
        return Layer(path, layer.in_channels, layer.out_channels, layer.groups, first=True)
    return None


def _readers(node: fx.Node, modules: dict[str, nn.Module]) -> Iterator[tuple[fx.Node, str, bool]]:
    """Yield (reader, activation, whether flattened) of a layer's outputs behind their one activation."""
    users = list(node.users)
    name = activation_of(users[0], modules) if len(users) == 1 else ""
    if name:
        yield from ((user, name, flat) for user, flat in _through(users[0], modules, False))


def _through(node: fx.Node, modules: dict[str, nn.Module], flat: bool) -> Iterator[tuple[fx.Node, bool]]:
    for user in node.users:
        layer = modules[str(user.target)] if user.op == "call_module" else None
        flattens = isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) == (1, -1)
        if flattens or isinstance(layer, _ELEMENTWISE):
            yield from _through(user, modules, flat or flattens)
        else:
            yield user, flat
