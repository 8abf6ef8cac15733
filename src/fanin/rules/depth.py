"""How a signal's scale changes along depth: by how much a layer, and in all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
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
    """

    layers: tuple[Layer, ...]
    factor: float
    total: float

    @property
    def vanishes(self) -> bool:
        """Whether the scale shrinks too much."""
        return self.factor < 1 / A_LAYER and self.total < 1 / self._too_much

    @property
    def explodes(self) -> bool:
        """Whether the scale grows too much."""
        return self.factor > A_LAYER and self.total > self._too_much

    @property
    def _too_much(self) -> float:
        return IN_ALL if len(self.layers) >= LAYERS else _FEW


def slopes(vitals: Vitals, scale: Callable[[Layer], float]) -> Iterator[Slope]:
    """Yield the slope of each chain of layers with weights that no norm interrupts.

    Args:
        vitals: Of a model.
        scale: What to follow; layers where it is 0, which are meant to begin with nothing, are left out.
    """
    # Between norms a few layers are a branch, or lie side by side as queries, keys and values do.
    branches = any(layer.kind == "norm" for layer in vitals.layers)
    for chain in chains(vitals):
        kept = [layer for layer in chain if scale(layer) > 0 and math.isfinite(scale(layer))]
        few = [layer for layer in kept if layer.name != vitals.output.layer]  # a small head is meant
        if len(kept) >= LAYERS:
            yield slope(kept, scale)
        elif len(few) >= _FEWEST and not branches:
            yield slope(few, scale)


def chains(vitals: Vitals) -> Iterator[list[Layer]]:
    """Yield layers with weights, those between two norms together."""
    chain: list[Layer] = []
    for layer in vitals.layers:
        if layer.kind == "norm":
            yield chain
            chain = []
        elif layer.kind == "weights":
            chain.append(layer)
    yield chain


def slope(layers: Sequence[Layer], scale: Callable[[Layer], float]) -> Slope:
    """Return the slope along layers.

    Args:
        layers: At least two, in their order.
        scale: What to follow, above 0.
    """
    logs = np.log([scale(layer) for layer in layers])
    rise = float(np.polyfit(np.arange(len(logs)), logs, 1)[0])
    return Slope(tuple(layers), math.exp(rise), math.exp(rise * (len(logs) - 1)))
