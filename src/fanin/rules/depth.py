"""How a signal's scale changes along depth: by how much a layer, and in all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fanin.rules.vitals import Layer, Vitals

LAYERS = 6
"""Layers with weights from which on a slope says something; fewer have to change far more."""
_FEWEST = 3
_FEW = 1e3
A_LAYER = 1.25
"""The factor a layer that is too much, either way."""
IN_ALL = 30.0
"""The factor in all that is too much: healthy models were seen to reach 28."""
GRAVE = 1e4
"""The factor in all beyond which it is an error."""


@dataclass(frozen=True)
class Slope:
    """A straight line through the logarithms of a scale along some layers.

    Args:
        layers: In the order of execution.
        factor: By which the scale changes from one layer to the next, on average.
        total: By which it changes from the first to the last.
        limit: By which it may change in all.
    """

    layers: tuple[Layer, ...]
    factor: float
    total: float
    limit: float = IN_ALL

    @property
    def vanishes(self) -> bool:
        """Whether the scale shrinks too much."""
        return self.factor < 1 / A_LAYER and self.total < 1 / self.limit

    @property
    def explodes(self) -> bool:
        """Whether the scale grows too much."""
        return self.factor > A_LAYER and self.total > self.limit


def slopes(vitals: Vitals, scale: Callable[[Layer], float], *, head: bool) -> Iterator[Slope]:
    """Yield the slope of each chain of layers with weights that no norm interrupts.

    Args:
        vitals: Of a model.
        scale: What to follow; layers where it is 0, which are meant to begin with nothing, are left out.
        head: Whether to follow it through the last layer too.
    """
    # Between norms a few layers are a branch, or lie side by side as queries, keys and values do.
    branches = any(layer.kind == "norm" for layer in vitals.layers)
    for chain in chains(vitals):
        kept = [layer for layer in chain if scale(layer) > 0 and math.isfinite(scale(layer))]
        hidden = [layer for layer in kept if layer.name != vitals.output.layer]  # a small head is meant
        if len(kept) >= LAYERS:
            yield slope(kept if head else hidden, scale, IN_ALL)
        elif len(hidden) >= _FEWEST and not branches and not is_loop(vitals, chain):
            yield slope(hidden, scale, _FEW)


def chains(vitals: Vitals) -> Iterator[list[Layer]]:
    """Yield layers with weights, those between two norms together.

    A layer that reads what another one has read stands beside that one, as two heads of one trunk do, or an
    actor and its critic: each is in a chain of its own, behind what they share. Further calls of a layer go
    on with a loop, unless several layers read the same again. Recurrent layers are among them, which take all
    steps at once; cells that are called step by step are not.
    """
    chain: list[Layer] = []
    again = _again(vitals)
    for layer in vitals.layers:
        if layer.kind == "norm":
            yield chain
            chain = []
        elif layer.kind == "weights" or (layer.kind == "recurrent" and _own(layer) not in again):
            beside = _beside(layer, chain)
            if beside is not None:
                yield chain
            chain = [*chain[:beside], layer]
    yield chain


def is_loop(vitals: Vitals, chain: Sequence[Layer]) -> bool:
    """Return whether a layer of a chain is called again: its weights learn from all calls."""
    again = _again(vitals)
    return any(_own(layer) in again for layer in chain)


def _again(vitals: Vitals) -> set[str]:
    """Return the layers that are called more than once."""
    return {_own(layer) for layer in vitals.layers if "#" in layer.name}


def _beside(layer: Layer, chain: Sequence[Layer]) -> int | None:
    """Return the place of the layer that has read the same, if one has: scales of two signals differ."""
    place = next((n for n, one in enumerate(chain) if one.source and one.source == layer.source), None)
    if place is None or "#" not in layer.name:
        return place
    return place if len({_own(one) for one in chain[place:]}) >= _FEWEST else None


def _own(layer: Layer) -> str:
    return layer.name.partition("#")[0]


def longest(found: Iterable[Slope]) -> list[Slope]:
    """Return the longest of the slopes that begin at one layer, as of chains that part behind a trunk."""
    kept: dict[str, Slope] = {}
    for one in found:
        first = one.layers[0].name
        if first not in kept or len(one.layers) > len(kept[first].layers):
            kept[first] = one
    return list(kept.values())


def slope(layers: Sequence[Layer], scale: Callable[[Layer], float], limit: float = IN_ALL) -> Slope:
    """Return the slope along layers.

    Args:
        layers: At least two, in their order.
        scale: What to follow, above 0.
        limit: By which it may change in all.
    """
    logs = np.log([scale(layer) for layer in layers])
    rise = float(np.polyfit(np.arange(len(logs)), logs, 1)[0])
    return Slope(tuple(layers), math.exp(rise), math.exp(rise * (len(logs) - 1)), limit)
