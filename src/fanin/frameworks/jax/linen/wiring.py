"""What feeds each layer and what its outputs are added to, read from the program of a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fanin.frameworks.jax.linen.program import Level, calls_inside
from fanin.frameworks.jax.linen.residual import Branch, Branches
from fanin.frameworks.jax.linen.tags import tag_of


@dataclass
class Wiring:
    """How layers are connected.

    Args:
        inputs: What feeds each layer, by path: an activation, "norm", "data", "sum", a layer.
        branches: Residual branches, each with how many there are of it, as a scan repeats what is in it.
        scanned: Length of the scan that a layer is called in.
        heads: Layers whose outputs are the model's.
    """

    inputs: dict[str, str] = field(default_factory=dict)
    branches: list[tuple[Branch, int]] = field(default_factory=list)
    scanned: dict[str, int] = field(default_factory=dict)
    heads: set[str] = field(default_factory=set)


def wired(jaxpr: Any, data: range, outputs: int) -> Wiring:
    """Return how the tagged layers of a program are connected.

    Args:
        jaxpr: The program.
        data: Which of its inputs are the model's.
        outputs: How many of its outputs, the last ones, are the model's.
    """
    wiring = Wiring()
    whole = Reading(Level(jaxpr.jaxpr, jaxpr.consts), lambda place: "data" if place in data else "")
    _read(whole, wiring, 0)
    made = whole.level.outputs[len(whole.level.outputs) - outputs :]
    wiring.heads = {layer for value in made if (layer := whole.head(value))}
    wiring.inputs = {path: source for path, source in wiring.inputs.items() if source}
    return wiring


def _read(here: Reading, wiring: Wiring, length: int) -> None:
    branches = Branches(here.level)
    for equation in here.level.equations:
        if tag := tag_of(equation, "in"):
            source = here.source(equation.invars[0])
            same = wiring.inputs.setdefault(tag.path, source) == source
            wiring.inputs[tag.path] = source if same else ""
            if length:
                wiring.scanned[tag.path] = length
        elif equation.primitive.name in ("add", "add_any"):
            wiring.branches += ((branch, max(length, 1)) for branch in branches.ended_by(equation))
        for inner, known in calls_inside(equation):
            below = here.inside(equation, inner) if known else Reading(inner, lambda place: "")
            _read(below, wiring, length or equation.params.get("length", 0))


class Reading:
    """Answers what the values of one level of a program are.

    Args:
        level: The level.
        given: What each of its own inputs is, by place.
    """

    def __init__(self, level: Level, given: Callable[[int], str]) -> None:
        self.level, self._given = level, given

    def inside(self, equation: Any, inner: Level) -> Reading:
        """Return a reading of a level that an equation calls with its own inputs."""
        return Reading(inner, lambda place: self.source(equation.invars[place]))

    def source(self, value: Any) -> str:
        """Return what a value is, looking through what keeps the distribution of its elements."""
        root = self.level.root(value)
        if root is None:
            return ""
        if root is value:
            return self._of_root(root)
        name = self.level.activation(value, root)
        if name == "identity":
            return self._of_root(root)
        return name or self._averaged(value, root)

    def _of_root(self, root: Any) -> str:
        place = self.level.place(root)
        if place is not None:
            return self._given(place)
        equation = self.level.made_by(root)
        if equation is None:
            return ""
        if tag := tag_of(equation, "out"):
            return tag.made
        if self.level.passes(equation):
            return self.source(equation.invars[0])
        for inner, known in calls_inside(equation):
            if known:
                result = inner.outputs[list(equation.outvars).index(root)]
                return self.inside(equation, inner).source(result)
        return "sum" if equation.primitive.name == "add" else ""

    def _averaged(self, value: Any, root: Any) -> str:
        """Return what a value is the mean of: a sum that is divided afterwards."""
        equation = self.level.made_by(root)
        if equation is None or equation.primitive.name not in ("reduce_sum", "reduce_window_sum"):
            return ""
        return self.source(equation.invars[0]) if self.level.is_scaled(value, root) else ""

    def head(self, value: Any) -> str:
        """Return the layer with a kernel that an output is a function of; empty where there is none."""
        while (root := self.level.root(value)) is not None and (equation := self.level.made_by(root)):
            tag = tag_of(equation, "out")
            if tag or not self.level.passes(equation):
                return tag.path if tag and tag.kernel else ""
            value = equation.invars[0]
        return ""
