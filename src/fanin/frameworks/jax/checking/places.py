"""Where in a program the values of a signal graph's nodes are made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fanin.frameworks.jax.graph import convert  # noqa: F401  (its converters enter themselves into a table)
from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.layers import add_layers_of_parameters
from fanin.frameworks.jax.graph.tags import Place
from fanin.frameworks.jax.graph.trace import Call
from fanin.frameworks.jax.graph.values import Made, Value
from fanin.frameworks.jax.graph.walk import Reader, known
from fanin.frameworks.jax.watching import inside
from fanin.graph.signal import SignalGraph, Weight

Path = tuple[int, ...]
"""The number of an equation, and of the step and the equation in the program that it calls, and so on."""

_BRANCHES, _STEPS = "cond", "scan"


class At(NamedTuple):
    """Which result of an equation; of no equation, which input of the program."""

    path: Path
    number: int

    @property
    def order(self) -> tuple[float, ...]:
        """What sorts places as they are run: a call ends behind all that is inside."""
        return (*self.path, math.inf, self.number)


@dataclass
class Places:
    """A program's graph, and where its values are made.

    Args:
        graph: What the program computes.
        of: Where the value of each node is made, of those that can be reached.
        unrolled: Scans whose steps are in the graph one by one.
        chosen: Conditions whose branch is known, with its number.
    """

    graph: SignalGraph = field(default_factory=lambda: SignalGraph(()))
    of: dict[str, At] = field(default_factory=dict)
    unrolled: set[Path] = field(default_factory=set)
    chosen: dict[Path, int] = field(default_factory=dict)


def places_of(call: Call, closed: Any) -> Places:
    """Return a call's graph, and where in its program the values are made.

    Args:
        call: The model with its inputs.
        closed: Its program.
    """
    weights = (Weight(leaf.name, tuple(leaf.value.shape), trainable=leaf.trainable) for leaf in call.leaves)
    builder, places = Builder({weight.name: weight for weight in weights}), Places()
    inputs: list[Made] = [builder.parameter(leaf.name, leaf.value.dtype) for leaf in call.leaves]
    for name, array in zip(call.names, call.arrays, strict=True):
        inputs.append(builder.input(name, array.shape, array.dtype))
    places.of = {made.node: At((), number) for number, made in enumerate(inputs)}
    reader = _Tracked(builder, Place("", call.type), places=places)
    outputs = reader.run(closed.jaxpr, [known(value) for value in closed.consts], inputs)
    if not builder.layers:
        add_layers_of_parameters(builder)
    places.graph = builder.graph(outputs, call.name, call.notes)
    return places


class _Tracked(Reader):
    """A reader that takes down where each node's value is made."""

    def __init__(self, *args: Any, places: Places, path: Path = (), open: bool = True, **kwargs: Any) -> None:  # noqa: A002
        super().__init__(*args, **kwargs)
        self.places, self.path, self.open = places, path, open
        self.number, self.step = -1, -1

    def below(self, equation: Any, program: Any) -> Reader:
        """Return a reader of a program that an equation calls."""
        plain = super().below(equation, program)
        self.step += 1
        return _Tracked(
            plain.graph,
            plain.place,
            plain.line,
            fixed=plain.fixed,
            places=self.places,
            path=(*self.path, self.number, self.step),
            open=self._opens(equation),
        )

    def _opens(self, equation: Any) -> bool:
        """Return whether the program that an equation calls can be looked into."""
        here = (*self.path, self.number)
        known_way = here in self.places.unrolled or here in self.places.chosen
        return self.open and (inside(equation) is not None or known_way)

    def call(self, equation: Any, held: Any, inputs: Sequence[Value]) -> list[Value]:
        """Return the outputs of a program that an equation calls with just these inputs."""
        name, here = equation.primitive.name, (*self.path, self.number)
        if name == _STEPS and self.open:
            self.places.unrolled.add(here)
        elif name == _BRANCHES and self.open:
            branches = equation.params["branches"]
            self.places.chosen[here] = next(n for n, branch in enumerate(branches) if branch is held)
        return super().call(equation, held, inputs)

    def _equation(self, equation: Any, inputs: list[Value]) -> list[Value]:
        self.number, self.step = self.number + 1, -1
        results = super()._equation(equation, inputs)
        if self.open:
            for place, value in enumerate(results):
                if isinstance(value, Made):
                    self.places.of.setdefault(value.node, At((*self.path, self.number), place))
        return results
