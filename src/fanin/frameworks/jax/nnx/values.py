"""How values are put into an NNX module."""

from __future__ import annotations

from typing import Any

from flax import nnx

from fanin.errors import FaninError
from fanin.frameworks.jax.leaves import Values, check_names, fitted
from fanin.frameworks.jax.nnx.walk import variables


def with_values(model: Any, values: Values) -> Any:
    """Return a copy of a module with some of its parameters replaced, in their own dtype and sharding.

    Variables that are shared stay shared, and everything else has the values it had.

    Args:
        model: Any module; it is not changed. It may be abstract.
        values: The new values by parameter name.

    Raises:
        FaninError: There is no variable of a name, or its shape is another one.

    Example:
        >>> import jax
        >>> model = nnx.Linear(2, 1, use_bias=False, rngs=nnx.Rngs(0))
        >>> with_values(model, {"kernel": [[1.0], [1.0]]})(jax.numpy.ones(2))
        Array([2.], dtype=float32)
    """
    copy = nnx.clone(model)
    named = dict(variables(copy))
    check_names(values, named)
    set_already: dict[int, str] = {}
    for name, value in values.items():
        variable = named[name]
        if id(variable) in set_already:
            raise FaninError(
                f"{name} and {set_already[id(variable)]} are one variable.", expected="one value"
            )
        set_already[id(variable)] = name
        variable.set_value(fitted(name, variable.get_value(), value))
    return copy
