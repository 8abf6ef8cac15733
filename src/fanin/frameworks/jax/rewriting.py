"""A traced function with some of its operations put another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from jax.extend import core

Rule = Callable[..., Any]
"""Takes an equation and its arguments; returns its one result, or None to leave it as it is."""

_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}
"""Primitives that only call a program, and where they keep it. Derivatives have been taken already."""


def rewritten(function: Callable[..., Any], rules: Mapping[str, Rule]) -> Callable[..., Any]:
    """Return a function with the same values whose operations are put as the rules say.

    The bodies of the function's own loops and branches are left as they are.

    Args:
        function: A function of pytrees of arrays, which is not differentiated any more.
        rules: By name of the primitive.

    Example:
        >>> import jax.numpy as jnp
        >>> doubled = rewritten(jnp.sin, {"sin": lambda equation, x: 2 * jnp.sin(x)})
        >>> float(doubled(1.0) / jnp.sin(1.0))
        2.0
    """

    def other(*arguments: Any) -> Any:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        results = _evaluate(closed, jax.tree.leaves(arguments), rules)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return other


def called(equation: core.JaxprEqn) -> core.ClosedJaxpr | None:
    """Return the program that an equation only calls, or None where it does more."""
    where = _CALLS.get(equation.primitive.name)
    return None if where is None else equation.params.get(where)


def _evaluate(closed: core.ClosedJaxpr, arguments: Sequence[Any], rules: Mapping[str, Rule]) -> list[Any]:
    jaxpr, values = closed.jaxpr, {}

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    values |= zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *arguments], strict=True)
    for equation in jaxpr.eqns:
        results = _apply(equation, [read(atom) for atom in equation.invars], rules)
        values |= zip(equation.outvars, results, strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: core.JaxprEqn, arguments: Sequence[Any], rules: Mapping[str, Rule]) -> Sequence[Any]:
    primitive = equation.primitive
    rule = rules.get(primitive.name)
    if rule is not None and (result := rule(equation, *arguments)) is not None:
        return [result]
    program = called(equation)
    if program is not None:
        return _evaluate(program, arguments, rules)
    results = primitive.bind(*arguments, **primitive.get_bind_params(equation.params))
    return results if primitive.multiple_results else [results]
