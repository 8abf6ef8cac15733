"""A program run with its layers' outputs read, and with numbers added to them, whose gradients are theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(frozen=True)
class End:
    """Where a layer ends.

    Args:
        name: The layer's path, "#2" after it for a second call.
        type: Its type.
        shape: Shape of its output.
        dtype: Type of its elements.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    dtype: Any


def ends_of(closed: core.ClosedJaxpr, parameters: Sequence[str]) -> dict[int, End]:
    """Return the ends of all layers, by the number of the equation.

    Args:
        closed: The program of a model's call: its first inputs are the parameters.
        parameters: Their names. Where a program has no marks of modules, a layer ends where its parameters
            are mixed with data for the last time.
    """
    marked = dict(_marked(closed.jaxpr))
    return marked or _mixed(closed, parameters)


def run(closed: core.ClosedJaxpr, arguments: Sequence[Any], change: Callable[[int, Any], Any]) -> list[Any]:
    """Return the outputs of a program.

    Args:
        closed: The program.
        arguments: Its inputs.
        change: From the number of an equation and its first result to what is used in the result's place.
    """
    return _Steps(change).run(closed.jaxpr, closed.consts, arguments)


@dataclass
class _Steps:
    change: Callable[[int, Any], Any]
    count: int = field(default=0)

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
        inner = inside(equation)
        if inner is not None:
            return self.run(inner[0], inner[1], arguments)
        primitive = equation.primitive
        results = primitive.bind(*arguments, **primitive.get_bind_params(equation.params))
        first, *rest = results if primitive.multiple_results else [results]
        number, self.count = self.count, self.count + 1
        return [self.change(number, first), *rest]


def inside(equation: core.JaxprEqn) -> tuple[core.Jaxpr, Sequence[Any]] | None:
    """Return the program and its constants that an equation only calls; None where it does more."""
    name = equation.primitive.name
    held = equation.params.get(_CALLS.get(name) or _CUSTOM.get(name, ""))
    if held is None:
        return None
    program = getattr(held, "jaxpr", held)
    if name in _CUSTOM and not any(True for _ in _marked(program)):
        return None
    return program, getattr(held, "consts", ())


def _equations(jaxpr: core.Jaxpr) -> Iterator[core.JaxprEqn]:
    """Yield the equations of a program in the order in which they run, those that only call left out."""
    for equation in jaxpr.eqns:
        inner = inside(equation)
        if inner is None:
            yield equation
        else:
            yield from _equations(inner[0])


def _marked(jaxpr: core.Jaxpr) -> Iterator[tuple[int, End]]:
    calls: dict[str, int] = {}
    for number, equation in enumerate(_equations(jaxpr)):
        place = output_of(equation)
        if place is None or not place.path:
            continue
        calls[place.path] = calls.get(place.path, 0) + 1
        name = place.path if calls[place.path] == 1 else f"{place.path}#{calls[place.path]}"
        yield number, _end(name, place.type, equation)


def _end(name: str, kind: str, equation: core.JaxprEqn) -> End:
    value: Any = equation.outvars[0].aval
    return End(name, kind, tuple(value.shape), value.dtype)


@dataclass(frozen=True)
class _Owned:
    """What is known of a value: the path of the parameters that it is of, and whether it depends on data."""

    path: str = ""
    varies: bool = False


def _mixed(closed: core.ClosedJaxpr, parameters: Sequence[str]) -> dict[int, End]:
    names = set(parameters)
    owners = [_Owned(name.rpartition(".")[0] or name) for name in parameters]
    data = [_Owned(varies=True)] * (len(closed.jaxpr.invars) - len(owners))
    last: dict[str, tuple[int, End]] = {}
    _follow(closed.jaxpr, [*owners, *data], names, last, [0])
    return dict(sorted(last.values(), key=lambda found: found[0]))


def _follow(
    jaxpr: core.Jaxpr,
    arguments: Sequence[_Owned],
    names: set[str],
    last: dict[str, tuple[int, End]],
    count: list[int],
) -> list[_Owned]:
    values: dict[Any, _Owned] = dict.fromkeys(jaxpr.constvars, _Owned())
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> _Owned:
        return _Owned() if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        read_values, inner = [read(atom) for atom in equation.invars], inside(equation)
        if inner is not None:
            results = _follow(inner[0], read_values, names, last, count)
        else:
            results = [_owner(read_values, names, equation)] * len(equation.outvars)
            if results[0].path and results[0].varies:
                last[results[0].path] = count[0], _end(results[0].path, equation.primitive.name, equation)
            count[0] += 1
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _owner(read: Sequence[_Owned], names: set[str], equation: core.JaxprEqn) -> _Owned:
    varies = any(value.varies for value in read)
    weights = [value.path for value in read if value.path and not value.varies]
    if not weights:
        return _Owned("", varies)
    before = next((value.path for value in read if value.path and value.varies), "")
    lone = weights[0] in names and equation.primitive.name != "dot_general"
    return _Owned(before if lone and before else weights[0], varies)
