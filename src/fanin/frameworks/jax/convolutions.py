"""Convolutions in the one layout that XLA's CPU library computes fast, inside of loops too.

XLA brings convolutions into that layout itself, but only outside of loops. Inside of them the gradients of
a convolution would be computed by plain nested loops, which takes several times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}
"""Primitives that only call a program, and where they keep it. Derivatives have been taken already."""


def convolves(closed: core.ClosedJaxpr) -> bool:
    """Return whether a traced function has a convolution, outside of loops of its own."""
    return any(
        equation.primitive.name == "conv_general_dilated"
        or ((called := _called(equation)) is not None and convolves(called))
        for equation in closed.jaxpr.eqns
    )


def canonical(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with the same values whose convolutions are (batch, space..., features) all.

    Args:
        function: A function of pytrees of arrays, which is not differentiated any more.

    Example:
        >>> x, w = jnp.ones((1, 2, 5, 5)), jnp.ones((3, 2, 3, 3))
        >>> convolve = lambda x, w: jax.lax.conv(x, w, (1, 1), "VALID")
        >>> str(jax.make_jaxpr(convolve)(x, w) == jax.make_jaxpr(canonical(convolve))(x, w))
        'False'
        >>> bool((convolve(x, w) == canonical(convolve)(x, w)).all())
        True
    """

    def rewritten(*arguments: Any) -> Any:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        results = _evaluate(closed, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return rewritten


def _evaluate(closed: core.ClosedJaxpr, arguments: Sequence[Any]) -> list[Any]:
    jaxpr, values = closed.jaxpr, {}

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    values |= zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *arguments], strict=True)
    for equation in jaxpr.eqns:
        results = _apply(equation, [read(atom) for atom in equation.invars])
        values |= zip(equation.outvars, results, strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: core.JaxprEqn, arguments: Sequence[Any]) -> Sequence[Any]:
    primitive = equation.primitive
    if primitive.name == "conv_general_dilated":
        return [_convolution(equation, *arguments)]
    called = _called(equation)
    if called is not None:
        return _evaluate(called, arguments)
    results = primitive.bind(*arguments, **primitive.get_bind_params(equation.params))
    return results if primitive.multiple_results else [results]


def _called(equation: core.JaxprEqn) -> core.ClosedJaxpr | None:
    where = _CALLS.get(equation.primitive.name)
    return None if where is None else equation.params.get(where)


def _convolution(equation: core.JaxprEqn, inputs: Any, kernel: Any) -> Any:
    wanted = equation.params["dimension_numbers"]
    rank = inputs.ndim
    space = range(1, rank - 1)
    batch, features, *inputs_space = wanted.lhs_spec
    out, into, *kernel_space = wanted.rhs_spec
    layout = jax.lax.ConvDimensionNumbers(
        (0, rank - 1, *space), (rank - 1, rank - 2, *range(rank - 2)), (0, rank - 1, *space)
    )
    result = equation.primitive.bind(
        jnp.transpose(inputs, (batch, *inputs_space, features)),
        jnp.transpose(kernel, (*kernel_space, into, out)),
        **{**equation.params, "dimension_numbers": layout},
    )
    places = dict(zip(wanted.out_spec, layout.out_spec, strict=True))
    return jnp.transpose(result, [places[axis] for axis in range(rank)])
