"""An Equinox module's parameters, ties and everything else in its pytree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import equinox as eqx
import jax
import numpy as np

from fanin.frameworks.jax.equinox.layers import layer_parameters, part_of
from fanin.frameworks.jax.equinox.pairs import pairs_of_layers
from fanin.frameworks.jax.equinox.wiring import inputs_of_layers
from fanin.frameworks.jax.leaves import shape_of, typed, why_kept
from fanin.frameworks.jax.making import PLAIN, Part
from fanin.frameworks.jax.tree import children, named_leaves
from fanin.frameworks.roles import Structure, headed
from fanin.graph.inventory import Inventory, Kept
from fanin.graph.parameter import Pairs, Parameter


def inventory(model: Any) -> Inventory:
    """Return what an Equinox module is made of.

    Args:
        model: Any module; nothing is run. Its arrays may be descriptions (`eqx.filter_eval_shape`).

    Example:
        >>> found = inventory(eqx.nn.Linear(3, 5, key=jax.random.key(0)))
        >>> [(p.name, p.shape, p.kind) for p in found.parameters]
        [('weight', (5, 3), 'kernel'), ('bias', (5,), 'bias')]
    """
    read = _Reader(Structure(list(_candidates(model, ""))), inputs_of_layers(model), pairs_of_layers(model))
    read.module(_Place(model, model, ""))
    ties = [Kept(name, shape_of(leaf), read.tie(leaf)) for name, leaf in read.tied]
    found = tuple(headed(read.parameters, ordered=True))
    return Inventory(found, (*ties, *read.kept), f"{type(model).__name__} (equinox)")


@dataclass(frozen=True)
class _Place:
    """A node with its path, and the same node with shared parts filled in."""

    node: Any
    filled: Any
    path: str

    def below(self) -> Iterator[tuple[str, _Place]]:
        filled = self.filled
        if isinstance(self.node, eqx.nn.Shared):
            filled = eqx.tree_at(lambda shared: shared.pytree, self.node, self.node())
        for (name, child), (_, full) in zip(children(self.node), children(filled), strict=True):
            yield name, _Place(child, full, f"{self.path}.{name}" if self.path else name)

    @property
    def shared(self) -> bool:
        return type(self.node).__name__ == "SharedNode"


@dataclass
class _Reader:
    """Walks through a module and takes note of what it holds."""

    structure: Structure
    inputs: dict[str, str]
    pairs: dict[str, Pairs]
    parameters: list[Parameter] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    tied: list[tuple[str, Any]] = field(default_factory=list)
    owners: dict[int, str] = field(default_factory=dict)
    rescaled: set[str] = field(default_factory=set)

    def module(self, place: _Place, layer: str = "", role: Part = PLAIN) -> None:
        """Take note of a module's own arrays and of its children."""
        if isinstance(place.node, eqx.nn.StateIndex):
            self.buffers(place)
            return
        if isinstance(place.node, eqx.nn.SpectralNorm):
            self.rescaled.add(f"{place.path}.layer.{place.node.weight_name}".lstrip("."))
        layer = type(place.node).__name__ if isinstance(place.node, eqx.Module) else layer
        below = dict(place.below())
        shapes = {
            name: shape_of(part.filled) for name, part in below.items() if hasattr(part.filled, "shape")
        }
        known = layer_parameters(place.filled, shapes, place.path, role)
        for name, part in below.items():
            if part.shared:
                self.tied += [(f"{part.path}.{leaf}".rstrip("."), a) for leaf, a in named_leaves(part.filled)]
            elif children(part.node):
                self.module(part, layer, part_of(place.node, name))
            else:
                unknown = Parameter(part.path, shape_of(part.node), layer=layer)
                self.leaf(place, part, known.get(name, unknown))

    def leaf(self, owner: _Place, part: _Place, known: Parameter) -> None:
        if not jax.tree.leaves(part.node):
            return  # an empty container, or a layer without arrays
        reason = _reason(owner.node, part)
        if reason:
            self.kept.append(Kept(part.path, shape_of(part.node), reason))
            return
        self.owners[id(part.node)] = part.path
        if part.path in self.rescaled:
            known = Parameter(part.path, known.shape, layer="SpectralNorm")  # it has no scale of its own
        fed = replace(typed(known, part.node), inputs=self.inputs.get(owner.path, ""))
        if fed.kind == "kernel":
            fed = replace(fed, pairs=self.pairs.get(owner.path, Pairs()))
        self.parameters.append(self.structure.placed(fed, owner.path))

    def buffers(self, place: _Place) -> None:
        for name, leaf in named_leaves(place.node):
            self.kept.append(Kept(f"{place.path}.{name}".lstrip("."), shape_of(leaf), "buffer"))

    def tie(self, leaf: Any) -> str:
        return f"tied to {self.owners.get(id(leaf), 'what Shared.get computes')}"


def _is_array(leaf: Any) -> bool:
    return why_kept(leaf) != "not an array"


def _reason(owner: Any, part: _Place) -> str:
    """Return why a leaf stays as it is; empty for a parameter."""
    if isinstance(owner, eqx.nn.WeightNorm) and part.path.rpartition(".")[2] == "g":
        return f"follows layer.{owner.weight_name}, so that the layer computes with what is drawn"
    if isinstance(part.node, np.ndarray):
        return "a NumPy array, which Equinox does not train"
    return why_kept(part.node)


def _candidates(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, class) of the modules in containers that have layers of their own."""
    contained = isinstance(node, list | tuple | dict | eqx.nn.Sequential)
    for name, child in children(node):
        full = f"{path}.{name}" if path else name
        if contained and _is_block(child):
            yield full, type(child).__name__
        yield from _candidates(child, full)


def _is_block(child: Any) -> bool:
    plain = type(child).__module__.startswith("equinox.nn")
    return (
        isinstance(child, eqx.Module)
        and not plain
        and any(isinstance(part, eqx.Module | list | tuple | dict) for _, part in children(child))
    )
