"""A program run with its layers' outputs read, and with numbers added to them, whose gradients are theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
from jax.extend import core

from fanin.frameworks.jax.graph.tags import output_of

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "remat2": "jaxpr",
    "remat": "jaxpr",
}
"""Primitives that only call a program, and where they keep it."""
_CUSTOM = {
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}
"""The same with a derivative of their own, which is kept unless a layer ends inside."""


def inside(equation: core.JaxprEqn) -> tuple[core.Jaxpr, Sequence[Any]] | None:
    """Return the program and its constants that an equation only calls; None where it does more."""
    name = equation.primitive.name
    held = equation.params.get(_CALLS.get(name) or _CUSTOM.get(name, ""))
    if held is None:
        return None
    program = getattr(held, "jaxpr", held)
    if name in _CUSTOM and not _is_marked(program):
        return None
    return program, getattr(held, "consts", ())


def _is_marked(jaxpr: core.Jaxpr) -> bool:
    """Return whether a layer ends in a program, or in one that it calls."""
    for equation in jaxpr.eqns:
        place, inner = output_of(equation), inside(equation)
        if (place is not None and place.path) or (inner is not None and _is_marked(inner[0])):
            return True
    return False


class Loop(NamedTuple):
    """A program that is run for one element of some sequences after the other.

    Args:
        program: The program: its inputs are constants, what is carried, and an element of each sequence.
        constants: How many constants it has.
        carried: How many values are carried.
        length: How many steps there are.
        reverse: Whether from the last element to the first.
    """

    program: core.ClosedJaxpr
    constants: int
    carried: int
    length: int
    reverse: bool

    def parted(self, arguments: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Return the constants, what is carried, and the sequences among a loop's inputs."""
        first, last = self.constants, self.constants + self.carried
        return list(arguments[:first]), list(arguments[first:last]), list(arguments[last:])


def loop_of(equation: core.JaxprEqn) -> Loop | None:
    """Return the loop that an equation is; None where it is none."""
    if equation.primitive.name != "scan":
        return None
    given = equation.params
    return Loop(given["jaxpr"], given["num_consts"], given["num_carry"], given["length"], given["reverse"])


def size(jaxpr: core.Jaxpr) -> int:
    """Return how many equations a program has that do something; those of loops count once, and the loop."""
    count = 0
    for equation in jaxpr.eqns:
        inner, loop = inside(equation), loop_of(equation)
        if inner is not None:
            count += size(inner[0])
        else:
            count += 1 if loop is None else size(loop.program.jaxpr) + 1
    return count


def run(
    closed: core.ClosedJaxpr, arguments: Sequence[Any], added: Mapping[int, Any]
) -> tuple[list[Any], dict[int, Any]]:
    """Return the outputs of a program, and the first results of some equations.

    Args:
        closed: The program.
        arguments: Its inputs.
        added: What is added to the first results of equations, by their numbers; of one inside of a loop, an
            element for each step.
    """
    steps = _Steps(added)
    return steps.run(closed.jaxpr, closed.consts, arguments), steps.seen


@dataclass
class _Steps:
    added: Mapping[int, Any]
    count: int = 0
    seen: dict[int, Any] = field(default_factory=dict)

    def run(self, jaxpr: core.Jaxpr, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
        values: dict[Any, Any] = dict(
            zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True)
        )

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else values[atom]

        for equation in jaxpr.eqns:
            results = self._equation(equation, [read(atom) for atom in equation.invars])
            values.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: core.JaxprEqn, arguments: list[Any]) -> list[Any]:
        inner, loop = inside(equation), loop_of(equation)
        if inner is not None:
            return self.run(inner[0], inner[1], arguments)
        results = None if loop is None else self._loop(loop, arguments)
        if results is None:
            primitive = equation.primitive
            results = primitive.bind(*arguments, **primitive.get_bind_params(equation.params))
            results = results if primitive.multiple_results else [results]
        number, self.count = self.count, self.count + 1
        if number not in self.added:
            return list(results)
        first, *rest = results
        self.seen[number] = first
        return [first + self.added[number], *rest]

    def _loop(self, loop: Loop, arguments: list[Any]) -> list[Any] | None:
        """Return the values of a loop with layers inside; None where there are none."""
        start, self.count = self.count, self.count + size(loop.program.jaxpr)
        numbers = [number for number in self.added if start <= number < self.count]
        if not numbers:
            return None
        constants, carried, sequences = loop.parted(arguments)

        def step(carried: list[Any], given: tuple[list[Any], list[Any]]) -> Any:
            now, added = given
            inner = _Steps(dict(zip(numbers, added, strict=True)), start)
            results = inner.run(loop.program.jaxpr, loop.program.consts, [*constants, *carried, *now])
            seen = [inner.seen[number] for number in numbers]
            return results[: loop.carried], (results[loop.carried :], seen)

        added = [self.added[number] for number in numbers]
        last, (made, seen) = jax.lax.scan(
            step, carried, (sequences, added), length=loop.length, reverse=loop.reverse
        )
        self.seen.update(zip(numbers, seen, strict=True))
        return [*last, *made]
