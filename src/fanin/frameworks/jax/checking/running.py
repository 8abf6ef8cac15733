"""A program run step by step where values are looked at, and as it is everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax.numpy as jnp
from jax.extend import core

from fanin.frameworks.jax.checking.places import At, Path, Places
from fanin.frameworks.jax.watching import inside

Change = Callable[[At, Any], Any]
"""From where a value is made and the value to what is used in its place."""


class Running:
    """Runs a program, and lets values be looked at and changed where they are made.

    Args:
        closed: The program.
        places: Which scans and conditions are taken apart.
        wanted: Where values are looked at.
    """

    def __init__(self, closed: core.ClosedJaxpr, places: Places, wanted: Iterable[At]) -> None:
        self.closed, self.places = closed, places
        self.wanted = frozenset(wanted)
        self._open = {at.path[:length] for at in self.wanted for length in range(1, len(at.path), 2)}

    def __call__(self, arguments: Sequence[Any], change: Change) -> list[Any]:
        """Return the outputs of the program.

        Args:
            arguments: Its inputs.
            change: Called with each value that is wanted, in their order.
        """
        given = [self._changed(At((), number), value, change) for number, value in enumerate(arguments)]
        return self._run(self.closed.jaxpr, self.closed.consts, given, (), change)

    def _changed(self, at: At, value: Any, change: Change) -> Any:
        return change(at, value) if at in self.wanted else value

    def _run(
        self,
        jaxpr: core.Jaxpr,
        constants: Sequence[Any],
        arguments: Sequence[Any],
        path: Path,
        change: Change,
    ) -> list[Any]:
        values: dict[Any, Any] = dict(
            zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True)
        )

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else values[atom]

        for number, equation in enumerate(jaxpr.eqns):
            here = (*path, number)
            results = self._equation(equation, [read(atom) for atom in equation.invars], here, change)
            made = [self._changed(At(here, place), value, change) for place, value in enumerate(results)]
            values.update(zip(equation.outvars, made, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, arguments: list[Any], here: Path, change: Change) -> Sequence[Any]:
        if here in self._open:
            if here in self.places.unrolled:
                return self._steps(equation, arguments, here, change)
            held, given = self._called(equation, arguments, here)
            return self._run(held[0], held[1], given, (*here, 0), change)
        primitive = equation.primitive
        results = primitive.bind(*arguments, **primitive.get_bind_params(equation.params))
        return results if primitive.multiple_results else [results]

    def _called(self, equation: Any, arguments: list[Any], here: Path) -> tuple[Any, list[Any]]:
        if here in self.places.chosen:
            branch = equation.params["branches"][self.places.chosen[here]]
            return (branch.jaxpr, branch.consts), arguments[1:]
        return inside(equation), arguments

    def _steps(self, equation: Any, arguments: list[Any], here: Path, change: Change) -> list[Any]:
        """Return the results of a scan, its steps one after the other."""
        given, program = equation.params, equation.params["jaxpr"]
        first, count = given["num_consts"], given["num_carry"]
        constants, carried = arguments[:first], arguments[first : first + count]
        sequences, made = arguments[first + count :], {}
        order = range(given["length"])
        for turn, step in enumerate(reversed(order) if given["reverse"] else order):
            read = [*constants, *carried, *(sequence[step] for sequence in sequences)]
            results = self._run(program.jaxpr, program.consts, read, (*here, turn), change)
            carried, made[step] = results[:count], results[count:]
        stacked = (jnp.stack(parts) for parts in zip(*(made[step] for step in order), strict=True))
        return [*carried, *stacked]
