"""Convolutions in the one layout that XLA's CPU library computes fast, inside of loops too.

XLA brings convolutions into that layout itself, but only outside of loops. Inside of them the gradients of
a convolution would be computed by plain nested loops, which takes several times as long.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from fanin.frameworks.jax.rewriting import called


def convolves(closed: core.ClosedJaxpr) -> bool:
    """Return whether a traced function has a convolution, outside of loops of its own."""
    return any(
        equation.primitive.name == "conv_general_dilated"
        or ((program := called(equation)) is not None and convolves(program))
        for equation in closed.jaxpr.eqns
    )


def channels_last(equation: core.JaxprEqn, inputs: Any, kernel: Any) -> Any:
    """Compute a convolution on operands and a result that are (batch, space..., features)."""
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
