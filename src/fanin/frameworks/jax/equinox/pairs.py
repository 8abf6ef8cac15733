"""Layers of Equinox that follow each other through an activation and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx

from fanin.frameworks.jax.chains import Step, links_in, step_of
from fanin.frameworks.jax.tree import children
from fanin.frameworks.pairs import Layer, pairs_of
from fanin.graph.parameter import Pairs


def pairs_of_layers(model: Any) -> dict[str, Pairs]:
    """Return the layers whose outputs, or inputs, can be paired (see `fanin.graph.parameter.Pairs`).

    Only the order that `Sequential` and `MLP` fix is read; in modules with shared parts nothing is.

    Args:
        model: Any module.
    """
    nodes = list(_nodes(model, ""))
    if any(isinstance(node, eqx.nn.Shared) for _, node in nodes):
        return {}
    seen: set[str] = set()
    chains = [list(_steps(node, path, seen)) for path, node in nodes if _is_chain(node) and path not in seen]
    return pairs_of([link for chain in chains for link in links_in(chain)])


def _nodes(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, node
    for name, child in children(node):
        yield from _nodes(child, f"{path}.{name}" if path else name)


def _is_chain(node: Any) -> bool:
    return _is(node, eqx.nn.Sequential) or _is(node, eqx.nn.MLP)


def _is(node: Any, kind: Any) -> bool:
    """Return whether something is called as a class of Equinox's is."""
    return isinstance(node, kind) and type(node).__call__ is kind.__call__


def _steps(node: Any, path: str, seen: set[str]) -> Iterator[Step]:
    """Yield what happens in a chain; note the chains in it."""
    seen.add(path)
    inside = f"{path}.layers" if path else "layers"
    if _is(node, eqx.nn.Sequential):
        for place, child in enumerate(node.layers):
            below = f"{inside}.{place}"
            yield from _steps(child, below, seen) if _is_chain(child) else (_step(child, below),)
    else:
        for place, layer in enumerate(node.layers):
            yield _step(layer, f"{inside}.{place}")
            last = place == len(node.layers) - 1
            yield step_of(node.final_activation if last else node.activation, batches=False)


def _step(layer: Any, path: str) -> Step:
    if _is(layer, eqx.nn.Linear):
        shape = getattr(layer.weight, "shape", ())
        return Layer(path, shape[1], shape[0]) if len(shape) == 2 else ""
    if _is(layer, eqx.nn.Conv) or _is(layer, eqx.nn.ConvTranspose):
        plain = len(getattr(layer.weight, "shape", ())) == layer.num_spatial_dims + 2
        return Layer(path, layer.in_channels, layer.out_channels, layer.groups, first=True) if plain else ""
    if isinstance(layer, eqx.nn.Dropout | eqx.nn.Identity):
        return "dropout" if isinstance(layer, eqx.nn.Dropout) else "identity"
    function = layer.fn if isinstance(layer, eqx.nn.Lambda) else layer
    return "" if isinstance(function, eqx.Module) else step_of(function, batches=False)
