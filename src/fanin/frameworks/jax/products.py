"""Small matrix products in the one layout that XLA's fast CPU kernels take.

The gradient of a kernel contracts the rows of a batch, so its left operand comes transposed. XLA's kernels
for small products do not take that; the general ones that step in need twice the time on products of
32 x 32 x 32, a tenth more on 64 x 64 x 64, and the same from there on.
"""

from __future__ import annotations

import math
from typing import Any

import jax
from jax.extend import core

_LARGEST = 64**3
_OVER_ROWS = (((0,), (0,)), ((), ()))
_PLAIN = (((1,), (0,)), ((), ()))


def rows_by_columns(equation: core.JaxprEqn, left: Any, right: Any) -> Any:
    """Compute a small product that contracts the first axes of two matrices as a plain one."""
    if equation.params["dimension_numbers"] != _OVER_ROWS or left.ndim != 2 or right.ndim != 2:
        return None
    sizes = (len(left), left.shape[1], right.shape[1])
    if min(sizes) == 1 or math.prod(sizes) > _LARGEST:
        return None
    # The barrier keeps XLA from folding the transposition into the product again. It is the right operand
    # that is transposed, since a layer's inputs come second here, and the transposition of the result
    # cancels with the one that JAX adds.
    transposed = jax.lax.optimization_barrier(right.T)
    return equation.primitive.bind(transposed, left, **{**equation.params, "dimension_numbers": _PLAIN}).T
