"""Layers that follow each other through an activation alone, so that their units can be paired."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, NamedTuple, TypeVar

from fanin.graph.parameter import Pairs

Key = TypeVar("Key", bound=Hashable)


class Layer(NamedTuple, Generic[Key]):
    """A dense layer or a convolution.

    Args:
        key: What stands for it.
        inputs: Its input units, of all groups.
        outputs: Its output units, of all groups.
        groups: Groups of channels.
        first: Whether its units lie along the first axis of an example (channels first), not the last one.
    """

    key: Key
    inputs: int
    outputs: int
    groups: int = 1
    first: bool = False

    @property
    def units(self) -> int:
        """Its outputs, if they can be paired inside of each group; else 0."""
        return 0 if self.outputs // self.groups % 2 else self.outputs

    @property
    def sixteens(self) -> bool:
        """Whether its outputs come in sixteens inside of each group."""
        return self.outputs // self.groups % 16 == 0


class Link(NamedTuple, Generic[Key]):
    """A layer of some units, the activation behind it, and a layer that reads so many values of each.

    Args:
        layer: The layer's key.
        units: Its outputs.
        activation: The one activation that they all go through.
        reader: The key of a layer that reads them.
        values: How many values in a row come from one unit there.
        sixteens: Whether the units come in sixteens inside of the groups of both, to pair eighths of them.
    """

    layer: Key
    units: int
    activation: str
    reader: Key
    values: int
    sixteens: bool = False


def link(
    layer: Layer[Key] | None, activation: str, reader: Layer[Key] | None, *, flat: bool = False
) -> Link[Key] | None:
    """Return the link between two layers; None where the reader cannot read both of each pair alike.

    Args:
        layer: The first one; None where it is no layer whose units can be paired.
        activation: What its outputs go through; empty where that is not known.
        reader: The second one, or None.
        flat: Whether all axes of an example are made one between the two.

    Example:
        >>> link(Layer("conv", 3, 4, first=True), "relu", Layer("fc", 36, 5), flat=True).values
        9
        >>> link(Layer("conv", 3, 4), "relu", Layer("fc", 36, 5), flat=True).values  # units side by side
        1
    """
    if layer is None or reader is None or not (layer.units and activation):
        return None
    if flat:
        fits = reader.groups == 1 and not reader.first and reader.inputs % layer.units == 0
    else:
        same = reader.first == layer.first and reader.inputs == layer.units
        fits = same and reader.inputs // reader.groups % 2 == 0
    values = reader.inputs // layer.units if flat and layer.first else 1
    sixteens = layer.sixteens and (flat or reader.inputs // reader.groups % 16 == 0)
    return Link(layer.key, layer.units, activation, reader.key, values, sixteens) if fits else None


def pairs_of(links: Sequence[Link[Key]]) -> dict[Key, Pairs]:
    """Return the layers whose outputs, or inputs, can be paired (see `fanin.graph.parameter.Pairs`).

    Args:
        links: Of layers whose readers are all linked with them, in the order of the layers.

    Example:
        >>> found = pairs_of([Link("one", 16, "relu", "other", 1, sixteens=True)])
        >>> found["other"]
        Pairs(inputs=1, outputs='', layers=2, units=16, input_links=1, output_links=0)
    """
    outputs = {link.layer: link.activation for link in links}
    inputs = {link.reader: link.values for link in links}
    before = {link.reader: link.layer for link in links}
    left = _left(links)
    return {
        key: Pairs(
            inputs.get(key, 0), outputs.get(key, ""), *row, left.get(before.get(key), 0), left.get(key, 0)
        )
        for key, row in _rows(links).items()
    }


def _left(links: Sequence[Link[Key]]) -> dict[Key | None, int]:
    """Return the links from each layer that is read to the end of its row, on the longest way.

    It is 0 where a link's units do not come in sixteens.
    """
    left: dict[Key | None, int] = {}
    for one in reversed(links):
        left[one.layer] = max(left.get(one.layer, 0), left.get(one.reader, 0) + 1)
    return left | {one.layer: 0 for one in links if not one.sixteens}


def _rows(links: Sequence[Link[Key]]) -> dict[Key, tuple[int, int]]:
    """Return how many layers are linked with each, and the fewest units of a link among them."""
    members: dict[Key, set[Key]] = {}
    for one in links:
        together = members.get(one.layer, {one.layer}) | members.get(one.reader, {one.reader})
        members |= dict.fromkeys(together, together)
    fewest: dict[frozenset[Key], int] = {}
    for one in links:
        row = frozenset(members[one.layer])
        fewest[row] = min(fewest.get(row, one.units), one.units)
    return {key: (len(row), fewest[frozenset(row)]) for key, row in members.items()}
