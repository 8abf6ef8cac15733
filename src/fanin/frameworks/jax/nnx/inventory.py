"""An NNX module's parameters, ties and other variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from flax import nnx

from fanin.frameworks.jax.flax.parts import part_of
from fanin.frameworks.jax.leaves import shape_of, typed, why_kept
from fanin.frameworks.jax.making import PLAIN, Part
from fanin.frameworks.jax.nnx.layers import layer_parameters
from fanin.frameworks.jax.nnx.pairs import pairs_of_layers
from fanin.frameworks.jax.nnx.walk import below, is_node, parts
from fanin.frameworks.jax.nnx.wiring import inputs_of_layers
from fanin.frameworks.roles import Structure, headed
from fanin.graph.inventory import Inventory, Kept
from fanin.graph.parameter import Pairs, Parameter


def inventory(model: nnx.Module) -> Inventory:
    """Return what an NNX module is made of.

    Args:
        model: Any module; nothing is run. It may be abstract (`nnx.eval_shape`).

    Example:
        >>> found = inventory(nnx.Linear(3, 5, rngs=nnx.Rngs(0)))
        >>> [(p.name, p.shape, p.kind) for p in found.parameters]
        [('bias', (5,), 'bias'), ('kernel', (3, 5), 'kernel')]
    """
    read = _Reader(
        Structure(list(_candidates(model, "", ()))), inputs_of_layers(model), pairs_of_layers(model)
    )
    read.module(_Place(model, "", type(model).__name__))
    ordered = isinstance(model, nnx.Sequential)
    found = tuple(headed(read.parameters, ordered=ordered))
    return Inventory(found, tuple(read.kept), f"{type(model).__name__} (flax.nnx)")


@dataclass(frozen=True)
class _Place:
    """A node with its path, the class of its module, and what it is for the layer that it belongs to."""

    node: Any
    path: str
    layer: str
    part: Part = PLAIN
    above: tuple[int, ...] = ()

    def below(self, name: str, node: Any) -> _Place:
        layer = type(node).__name__ if isinstance(node, nnx.Module) else self.layer
        above = (*self.above, id(self.node))
        return _Place(node, below(self.path, name), layer, part_of(self.node, name), above)


@dataclass
class _Reader:
    """Walks through a module and takes note of what it holds."""

    structure: Structure
    inputs: dict[str, str]
    pairs: dict[str, Pairs]
    parameters: list[Parameter] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    owners: dict[int, str] = field(default_factory=dict)

    def module(self, place: _Place, rescaled: str = "") -> None:
        """Take note of a module's own variables and of its children."""
        if isinstance(place.node, nnx.WeightNorm | nnx.SpectralNorm):
            rescaled = place.layer
        own = dict(parts(place.node))
        shapes = {
            name: shape_of(part.get_value()) for name, part in own.items() if isinstance(part, nnx.Variable)
        }
        known = layer_parameters(place.node, shapes, place.path, place.part)
        for name, part in own.items():
            full = below(place.path, name)
            if isinstance(part, nnx.Variable):
                unknown = Parameter(full, shapes[name], layer=rescaled or place.layer)
                scaled = rescaled and not name.startswith("bias")
                self.variable(place, part, unknown if scaled else known.get(name, unknown))
            elif not is_node(part):
                self.kept.append(Kept(full, shape_of(part), "an array, not a variable"))
            elif id(part) not in place.above:
                self.module(place.below(name, part), rescaled)

    def variable(self, place: _Place, variable: nnx.Variable, known: Parameter) -> None:
        reason = self.reason(variable)
        if reason:
            self.kept.append(Kept(known.name, known.shape, reason))
            return
        self.owners[id(variable)] = known.name
        fed = replace(typed(known, variable.get_value()), inputs=self.inputs.get(place.path, ""))
        if fed.kind == "kernel":
            fed = replace(fed, pairs=self.pairs.get(place.path, Pairs()))
        self.parameters.append(self.structure.placed(fed, place.path))

    def reason(self, variable: nnx.Variable) -> str:
        """Return why a variable stays as it is; empty for a parameter."""
        if id(variable) in self.owners:
            return f"tied to {self.owners[id(variable)]}"
        if not isinstance(variable, nnx.Param):
            return f"buffer ({type(variable).__name__})"
        return why_kept(variable.get_value())


def _candidates(node: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """Yield (path, class) of the modules in containers that have layers of their own."""
    contained = isinstance(node, nnx.List | nnx.Dict | list | tuple | dict)
    for name, part in parts(node):
        if is_node(part) and id(part) not in above:
            full = below(path, name)
            if contained and _is_block(part):
                yield full, type(part).__name__
            yield from _candidates(part, full, (*above, id(node)))


def _is_block(part: Any) -> bool:
    plain = type(part).__module__.startswith("flax.")
    return isinstance(part, nnx.Module) and not plain and any(is_node(inner) for _, inner in parts(part))
