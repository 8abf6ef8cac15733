"""Values of the elementwise functions of graphs, for comparing them with known ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from fanin.graph.signal import Node
from fanin.theory.activation import Array
from fanin.theory.catalogue import CATALOGUE

_VALUES: dict[str, Callable[..., Array]] = {
    "abs": np.abs, "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "negative": np.negative, "power": np.power, "square": np.square, "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x), "reciprocal": lambda x: 1 / x, "exp": np.exp, "expm1": np.expm1,
    "log": np.log, "log1p": np.log1p, "sign": np.sign, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
    "sigmoid": special.expit, "erf": special.erf, "maximum": np.maximum, "minimum": np.minimum,
    "where": np.where, "less": np.less, "less_equal": np.less_equal, "greater": np.greater,
    "greater_equal": np.greater_equal, "equal": np.equal, "not_equal": np.not_equal,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_not": np.logical_not,
    "is_finite": np.isfinite, "clip": np.clip, "integer_power": lambda x, n: x**n,
}  # fmt: skip


def value_of(node: Node, operands: Sequence[Array]) -> Array | None:
    """Return a function's values; None where nobody knows the function.

    Args:
        node: An elementwise node.
        operands: Values of its inputs.
    """
    name, arguments = node["function"], node.get("arguments", ())
    waiting = iter(operands)
    scalars = node.get("scalars") or (None,) * len(operands)
    filled = [next(waiting) if number is None else number for number in scalars]
    with np.errstate(all="ignore"):
        if name in _VALUES:
            return _VALUES[name](*filled, *arguments)
        if name in CATALOGUE:
            known = CATALOGUE[name]
            return known.make(*(arguments or known.defaults.values()))[0](np.asarray(filled[0], np.float64))
    return None
