"""What the inputs of NNX's layers come from, as far as Sequential says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flax import nnx

from fanin.frameworks.jax.chains import step_of
from fanin.frameworks.jax.nnx.layers import NORMS
from fanin.frameworks.jax.nnx.walk import below, is_node, parts
from fanin.frameworks.jax.recognize import activation_name


def inputs_of_layers(model: nnx.Module) -> dict[str, str]:
    """Return what feeds each layer: an activation's name, "norm", "data" or a layer, by the layer's path.

    Only the order that `Sequential` fixes is read; what a module's own code does is not guessed.

    Args:
        model: Any module.
    """
    found: dict[str, str] = {}
    _through(model, "", "data" if isinstance(model, nnx.Sequential) else "", found)
    for path, module in _chains(model, "", ()):
        if f"{path}.layers.0" not in found:
            _through(module, path, "", found)
    return {path: source for path, source in found.items() if source}


def _chains(node: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, nnx.Sequential]]:
    for name, part in parts(node):
        if is_node(part) and id(part) not in above:
            full = below(path, name)
            if isinstance(part, nnx.Sequential):
                yield full, part
            yield from _chains(part, full, (*above, id(node)))


def _through(layer: Any, path: str, source: str, found: dict[str, str]) -> str:
    """Note what feeds a layer and those inside; return what its outputs are."""
    if isinstance(layer, nnx.Sequential):
        for place, child in enumerate(layer.layers):
            source = _through(child, below(path, f"layers.{place}"), source, found)
        return source
    found[path] = source if found.get(path, source) == source else ""
    return _outputs(layer, source)


def _outputs(layer: Any, source: str) -> str:
    if isinstance(layer, NORMS):
        return "norm"
    if isinstance(layer, nnx.Dropout):
        return source
    if isinstance(layer, nnx.Module):
        return type(layer).__name__ if type(layer).__module__.startswith("flax.") else ""
    name = activation_name(layer)
    keeps = name == "identity" or step_of(layer, batches=True) == "flatten"
    return source if keeps else name
