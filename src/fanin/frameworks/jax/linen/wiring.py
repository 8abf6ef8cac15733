"""What feeds each layer and what its outputs are added to, read from the program of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fanin.frameworks.jax.linen.program import Level, calls_inside, is_constant
from fanin.frameworks.jax.linen.tags import tag_of


@dataclass
class Wiring:
    """How layers are connected.

    Args:
        inputs: What feeds each layer, by path: an activation, "norm", "data", "sum", a layer.
        residual: Layers whose outputs are added to the stream that their branch came from.
        scanned: Length of the scan that a layer is called in.
        heads: Layers whose outputs are the model's.
    """

    inputs: dict[str, str] = field(default_factory=dict)
    residual: set[str] = field(default_factory=set)
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
    for equation in here.level.equations:
        if tag := tag_of(equation, "in"):
            source = here.source(equation.invars[0])
            same = wiring.inputs.setdefault(tag.path, source) == source
            wiring.inputs[tag.path] = source if same else ""
            if length:
                wiring.scanned[tag.path] = length
        elif equation.primitive.name in ("add", "add_any"):
            wiring.residual |= set(here.branches(equation))
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
        tagged = ((tag_of(equation, "in"), equation) for equation in level.equations)
        self._inputs = {tag.path: equation.invars[0] for tag, equation in tagged if tag}

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

    def branches(self, equation: Any) -> Iterator[str]:
        """Yield the layers that end a residual branch in a sum.

        A branch is added to the stream that it came from: the other side of the sum, or the input of the
        projection that made it, is an ancestor of the inputs of the branch's last layer.
        """
        one, other = equation.invars
        for branch, stream in ((one, other), (other, one)):
            last, begin = self._last(branch), self._last(stream)
            if is_constant(branch) or is_constant(stream) or not last:
                continue
            end = self._inputs[last]
            identity = self.level.depends(end, self._unmoved(stream))
            projected = begin and self._strictly(end, self._inputs[begin])
            if identity or projected:
                yield last

    def _strictly(self, end: Any, start: Any) -> bool:
        end, start = self._unmoved(end), self._unmoved(start)
        return end is not start and self.level.depends(end, start)

    def _unmoved(self, value: Any) -> Any:
        """Return where a value was made, before it was moved or marked."""
        while (equation := self.level.made_by(value)) is not None:
            if not (tag_of(equation, "in") or self.level.passes(equation)):
                break
            value = equation.invars[0]
        return value

    def _last(self, value: Any) -> str:
        """Return the layer with a kernel that a value comes from, through norms, dropout and scaling."""
        while (equation := self.level.made_by(value)) is not None:
            if tag := tag_of(equation, "out"):
                if tag.kernel or tag.made != "norm":
                    return tag.path if tag.kernel and tag.path in self._inputs else ""
                value = self._inputs.get(tag.path)
            elif tag_of(equation, "in") or self.level.passes(equation):
                value = equation.invars[0]
            else:
                value = self.level.only(equation)
        return ""
