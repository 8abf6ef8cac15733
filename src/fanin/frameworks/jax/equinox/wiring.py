"""What the inputs of Equinox's layers come from, as far as Sequential and MLP say it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx

from fanin.frameworks.jax.equinox.layers import NORMS
from fanin.frameworks.jax.recognize import activation_name
from fanin.frameworks.jax.tree import children

_PASSING = (eqx.nn.Dropout, eqx.nn.Identity, eqx.nn.Pool, eqx.nn.AdaptivePool)


def inputs_of_layers(model: Any) -> dict[str, str]:
    """Return what feeds each layer: an activation's name, "norm", "data" or a layer, by the layer's path.

    Only the order that `Sequential` and `MLP` fix is read; what a module's own code does is not guessed.

    Args:
        model: Any module.
    """
    found: dict[str, str] = {}
    started = isinstance(model, eqx.nn.Sequential | eqx.nn.MLP)
    _through(model, "", "data" if started else "", found)
    for path, module in _chains(model, ""):
        if f"{path}.layers.0" not in found:
            _through(module, path, "", found)
    return {path: source for path, source in found.items() if source}


def _chains(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, child in children(node):
        full = f"{path}.{name}" if path else name
        if isinstance(child, eqx.nn.Sequential | eqx.nn.MLP):
            yield full, child
        yield from _chains(child, full)


def _through(layer: Any, path: str, source: str, found: dict[str, str]) -> str:
    """Note what feeds a layer and those inside; return what its outputs are."""
    inside = f"{path}.layers" if path else "layers"
    if isinstance(layer, eqx.nn.Sequential):
        for place, child in enumerate(layer.layers):
            source = _through(child, f"{inside}.{place}", source, found)
        return source
    if isinstance(layer, eqx.nn.MLP):
        return _through_mlp(layer, inside, source, found)
    found[path] = source
    return _outputs(layer, source)


def _through_mlp(layer: eqx.nn.MLP, inside: str, source: str, found: dict[str, str]) -> str:
    hidden = _activated(layer.activation, "Linear")
    for place in range(len(layer.layers)):
        found[f"{inside}.{place}"] = hidden if place else source
    return _activated(layer.final_activation, "Linear")


def _activated(function: Any, source: str) -> str:
    name = activation_name(function)
    return source if name == "identity" else name or _kind(function)


def _outputs(layer: Any, source: str) -> str:
    if isinstance(layer, NORMS):
        return "norm"
    if isinstance(layer, _PASSING):
        return source
    if isinstance(layer, eqx.nn.Lambda):
        return _activated(layer.fn, source)
    return _kind(layer) if isinstance(layer, eqx.Module) else _activated(layer, source)


def _kind(layer: Any) -> str:
    """Return the class of one of Equinox's own layers; empty for anything else."""
    return type(layer).__name__ if type(layer).__module__.startswith("equinox.") else ""
