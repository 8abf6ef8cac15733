"""Where in a program its layers end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jax.extend import core

from fanin.frameworks.jax.graph.builder import numbered
from fanin.frameworks.jax.graph.loops import UNROLLED
from fanin.frameworks.jax.graph.tags import output_of
from fanin.frameworks.jax.watching import Loop, inside, loop_of


@dataclass(frozen=True)
class End:
    """Where a layer ends.

    Args:
        name: The layer's path, "#2" after it for a second call.
        type: Its type.
        number: The number of the equation whose first result is the layer's output.
        shape: Shape of that.
        dtype: Type of its elements.
        steps: Of the loops around, the outermost first: the step, None for all.
        lengths: How many steps they have.
        order: Tells what ends before what.
    """

    name: str
    type: str
    number: int
    shape: tuple[int, ...]
    dtype: Any
    steps: tuple[int | None, ...] = ()
    lengths: tuple[int, ...] = ()
    order: tuple[int, ...] = ()

    @property
    def whole(self) -> tuple[int, ...]:
        """Shape of the outputs at all steps of all loops around."""
        return (*self.lengths, *self.shape)

    def of(self, array: Any) -> Any:
        """Return the layer's part of the outputs at all steps, axes of steps first."""
        return array[tuple(slice(None) if step is None else step for step in self.steps)]

    @property
    def over(self) -> int:
        """How many axes of steps its outputs have."""
        return sum(step is None for step in self.steps)


def ends_of(closed: core.ClosedJaxpr, parameters: Sequence[str]) -> list[End]:
    """Return the ends of all layers, in their order.

    The layers of a loop over a stack of parameters end once for each; those of any other loop once.

    Args:
        closed: The program of a model's call: its first inputs are the parameters.
        parameters: Their names. Where a program has no marks of modules, a layer ends where its parameters
            are mixed with data for the last time.
    """
    walk = _Walk(set(parameters))
    owners = [_Owned(name.rpartition(".")[0] or name) for name in parameters]
    data = [_Owned(varies=True)] * (len(closed.jaxpr.invars) - len(owners))
    walk.follow(closed.jaxpr, [*owners, *data], _Around())
    if walk.marked:
        return _named(walk.marked)
    # Loops are named before what is around them, as graphs of loops are made before theirs.
    inner = [end for key, end in walk.mixed.items() if key.loop >= 0]
    outer = [end for key, end in walk.mixed.items() if key.loop < 0]
    return sorted(_named([*inner, *outer]), key=lambda end: end.order)


def _named(ends: list[End]) -> list[End]:
    calls: Counter[str] = Counter()
    found = []
    for end in ends:
        calls[end.name] += 1
        found.append(replace(end, name=numbered(end.name, calls[end.name])))
    return found


@dataclass(frozen=True)
class _Owned:
    """What is known of a value: whose it is, and whether it depends on data.

    Args:
        path: The path of the parameters that it is of.
        varies: Whether it depends on data.
        step: Which of a stack of parameters it is of.
        made: The number of the equation whose first result it is; None for any other value.
    """

    path: str = ""
    varies: bool = False
    step: int = 0
    made: int | None = None


class _Key(NamedTuple):
    """A layer of a program without marks: the loop that it is in, its path, and which of a stack it is."""

    loop: int
    path: str
    step: int


class _Around(NamedTuple):
    """The loops around a program.

    Args:
        steps: As an end has them.
        lengths: As an end has them.
        order: Their first equations, and how many steps of each went before.
        loop: The number of the first equation of the innermost one that is not written out; -1 without.
    """

    steps: tuple[int | None, ...] = ()
    lengths: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    loop: int = -1


class _Walk:
    """Goes through a program and takes down where layers end.

    Args:
        names: Names of the parameters.
    """

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.count = 0
        self.marked: list[End] = []
        self.mixed: dict[_Key, End] = {}

    def follow(self, jaxpr: core.Jaxpr, arguments: Sequence[_Owned], around: _Around) -> list[_Owned]:
        """Return whose the outputs of a program are."""
        values: dict[Any, _Owned] = dict.fromkeys(jaxpr.constvars, _Owned())
        values.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> _Owned:
            return _Owned() if isinstance(atom, core.Literal) else values[atom]

        for equation in jaxpr.eqns:
            results = self._equation(equation, [read(atom) for atom in equation.invars], around)
            values.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: core.JaxprEqn, given: list[_Owned], around: _Around) -> list[_Owned]:
        inner, loop = inside(equation), loop_of(equation)
        if inner is not None:
            return self.follow(inner[0], given, around)
        if loop is not None:
            return self._loop(equation, loop, given, around)
        owner = replace(_owner(given, self.names, equation), made=None)
        place, made = output_of(equation), self.count
        if place is not None:
            # Where it is made, as the module may use what it returns itself, too.
            made = self.count if given[0].made is None else given[0].made
            if place.path:
                self.marked.append(self._end(place.path, place.type, made, equation, around))
        if owner.path and owner.varies:
            key = _Key(around.loop, owner.path, owner.step)
            self.mixed.pop(key, None)
            kind = equation.primitive.name
            self.mixed[key] = self._end(owner.path, kind, self.count, equation, around)
        self.count += 1
        return [replace(owner, made=made), *[owner] * (len(equation.outvars) - 1)]

    def _end(self, path: str, kind: str, number: int, equation: core.JaxprEqn, around: _Around) -> End:
        value: Any = equation.outvars[0].aval
        order = (*around.order, self.count)
        return End(path, kind, number, tuple(value.shape), value.dtype, around.steps, around.lengths, order)

    def _loop(
        self, equation: core.JaxprEqn, loop: Loop, given: list[_Owned], around: _Around
    ) -> list[_Owned]:
        constants, carried, sequences = loop.parted([replace(value, made=None) for value in given])
        start, made = self.count, list[_Owned]()
        varies = any(value.varies for value in given)
        steps: Sequence[int | None] = [None]
        if _is_written_out(equation, loop, given):
            steps = range(loop.length)[:: -1 if loop.reverse else 1]
        else:
            carried = [replace(value, varies=varies) for value in carried]
        for before, step in enumerate(steps):
            self.count = start
            inner = _Around(
                (*around.steps, step),
                (*around.lengths, loop.length),
                (*around.order, start, before),
                start if step is None else around.loop,
            )
            now = [replace(value, step=step or 0) for value in sequences]
            results = self.follow(loop.program.jaxpr, [*constants, *carried, *now], inner)
            results = [replace(value, made=None) for value in results]
            carried, made = results[: loop.carried], results[loop.carried :]
        self.count += 1
        return [*carried, *made]


def _is_written_out(equation: core.JaxprEqn, loop: Loop, given: list[_Owned]) -> bool:
    """Return whether a graph has each step of a loop: those over a stack of parameters, or that count."""
    _, carried, sequences = loop.parted(given)
    _, atoms, _ = loop.parted(equation.invars)
    over_parameters = any(value.path and not value.varies for value in sequences)
    counts = any(
        not value.path
        and not value.varies
        and not atom.aval.shape
        and np.issubdtype(atom.aval.dtype, np.integer)
        for value, atom in zip(carried, atoms, strict=True)
    )
    return (over_parameters or counts) and loop.length <= UNROLLED


def _owner(read: Sequence[_Owned], names: set[str], equation: core.JaxprEqn) -> _Owned:
    varies = any(value.varies for value in read)
    weights = [value for value in read if value.path and not value.varies]
    if not weights:
        return _Owned("", varies)
    before = next((value for value in read if value.path and value.varies), None)
    lone = weights[0].path in names and equation.primitive.name != "dot_general"
    return replace(before if lone and before else weights[0], varies=varies)
