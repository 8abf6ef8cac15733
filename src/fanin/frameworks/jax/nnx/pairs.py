"""Layers of NNX that follow each other through an activation and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from flax import nnx

from fanin.frameworks.jax.chains import Step, links_in, step_of
from fanin.frameworks.jax.nnx.walk import below, is_node, parts, variables
from fanin.frameworks.pairs import Layer, pairs_of
from fanin.graph.parameter import Pairs


def pairs_of_layers(model: nnx.Module) -> dict[str, Pairs]:
    """Return the layers whose outputs, or inputs, can be paired (see `fanin.graph.parameter.Pairs`).

    Only the order that `Sequential` fixes is read, and only of layers that stand in one place.

    Args:
        model: Any module.
    """
    read = _Reader(Counter(id(variable) for _, variable in variables(model)))
    chains = [list(read.steps(node, path)) for path, node in _chains(model, "", ()) if path not in read.seen]
    return pairs_of([link for chain in chains for link in links_in(chain)])


def _chains(node: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    if _is(node, nnx.Sequential):
        yield path, node
    for name, part in parts(node):
        if is_node(part) and id(part) not in above:
            yield from _chains(part, below(path, name), (*above, id(node)))


def _is(node: Any, kind: Any) -> bool:
    """Return whether something is called as a class of Flax's is."""
    return isinstance(node, kind) and type(node).__call__ is kind.__call__


class _Reader:
    """Reads what happens in chains.

    Args:
        places: In how many places each variable stands, by its id.

    Attributes:
        seen: Paths of the chains that were read.
    """

    def __init__(self, places: Counter[int]) -> None:
        self._places = places
        self.seen: set[str] = set()

    def steps(self, chain: Any, path: str) -> Iterator[Step]:
        """Yield what happens in a chain and in those inside of it."""
        self.seen.add(path)
        for place, child in enumerate(chain.layers):
            inside = below(path, f"layers.{place}")
            yield from (
                self.steps(child, inside) if _is(child, nnx.Sequential) else (self._step(child, inside),)
            )

    def _step(self, layer: Any, path: str) -> Step:
        if isinstance(layer, nnx.Dropout):
            return "dropout"
        dense = _is(layer, nnx.Linear)
        if dense or _is(layer, nnx.Conv) or _is(layer, nnx.ConvTranspose):
            taps = 0 if dense else len(layer.kernel_size)
            plain = len(layer.kernel.get_value().shape) == taps + 2 and getattr(layer, "mask", None) is None
            groups = getattr(layer, "feature_group_count", 1)
            found = Layer(path, layer.in_features, layer.out_features, groups)
            return found if plain and self._places[id(layer.kernel)] == 1 else ""
        return "" if isinstance(layer, nnx.Module) else step_of(layer, batches=True)
