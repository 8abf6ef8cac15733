"""Layers that follow each other through an activation and nothing else, so that their units can be paired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import fx, nn

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
    links = list(_links(graph, modules)) if graph is not None else []
    outputs = {link.layer: link.activation for link in links}
    inputs = {link.reader: link.values for link in links}
    chain = _chains(links)
    return {
        path: Pairs(inputs.get(path, 0), outputs.get(path, ""), *chain[path]) for path in {*outputs, *inputs}
    }


class _Link(NamedTuple):
    """A layer of some units, the activation behind it, and a layer that reads so many values of each."""

    layer: str
    units: int
    activation: str
    reader: str
    values: int


def _links(graph: fx.Graph, modules: dict[str, nn.Module]) -> Iterator[_Link]:
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    for node in graph.nodes:
        units = _units(_layer(node, modules, calls))
        readers = list(_readers(node, modules)) if units else []
        layers = [_layer(reader, modules, calls) for reader in readers]
        if all(_reads_pairs(layer, units) for layer in layers):
            for reader, layer in zip(readers, layers, strict=True):
                activation = activation_of(next(iter(node.users)), modules)
                values = _inputs(layer) // units
                yield _Link(str(node.target), units, activation, str(reader.target), values)


def _chains(links: list[_Link]) -> dict[str, tuple[int, int]]:
    """Return how many layers are linked with each, and the fewest units of a link among them."""
    members: dict[str, set[str]] = {}  # a network's links come in the order of its layers
    for link in links:
        together = members.get(link.layer, {link.layer}) | members.get(link.reader, {link.reader})
        members |= dict.fromkeys(together, together)
    fewest: dict[frozenset[str], int] = {}
    for link in links:
        row = frozenset(members[link.layer])
        fewest[row] = min(fewest.get(row, link.units), link.units)
    return {path: (len(row), fewest[frozenset(row)]) for path, row in members.items()}


def _layer(node: fx.Node, modules: dict[str, nn.Module], calls: Counter[str]) -> Any:
    """Return the layer that a node calls, if it is called only here."""
    path = str(node.target)
    return modules[path] if node.op == "call_module" and calls[path] == 1 else None


def _readers(node: fx.Node, modules: dict[str, nn.Module]) -> Iterator[fx.Node]:
    """Yield what reads a layer's outputs through their one activation; nothing if there is no such one."""
    users = list(node.users)
    if len(users) == 1 and activation_of(users[0], modules):
        yield from _through(users[0], modules)


def _through(node: fx.Node, modules: dict[str, nn.Module]) -> Iterator[fx.Node]:
    for user in node.users:
        layer = modules[str(user.target)] if user.op == "call_module" else None
        flat = isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) == (1, -1)
        if flat or isinstance(layer, _ELEMENTWISE):
            yield from _through(user, modules)
        else:
            yield user


def _units(layer: Any) -> int:
    """Return the outputs of a layer that can be paired, 0 where they cannot."""
    if isinstance(layer, nn.Linear):
        return 0 if layer.out_features % 2 else layer.out_features
    if isinstance(layer, _CONVOLUTIONS):
        return 0 if layer.out_channels // layer.groups % 2 else layer.out_channels
    return 0


def _inputs(layer: Any) -> int:
    return layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels


def _reads_pairs(layer: Any, units: int) -> bool:
    """Return whether a layer reads both of each pair with the same kernel, in so many values for a unit."""
    if isinstance(layer, nn.Linear):
        return layer.in_features % units == 0
    return (
        isinstance(layer, _CONVOLUTIONS)
        and layer.in_channels == units
        and layer.in_channels // layer.groups % 2 == 0
    )
