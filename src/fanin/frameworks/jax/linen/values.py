"""The variables of a Linen model by name, and how values are put into them."""

from __future__ import annotations

from typing import Any

import jax
from flax.core import meta

from fanin.frameworks.jax.leaves import Values, check_names, fitted
from fanin.frameworks.jax.tree import named_leaves


def with_values(variables: Any, values: Values) -> Any:
    """Return a model's variables with some of the parameters replaced, in their own dtype and sharding.

    Boxes around arrays, such as those of `nn.with_partitioning`, stay around the new ones.

    Args:
        variables: As `module.init` returns them; they are not changed.
        values: The new values by parameter name.

    Raises:
        FaninError: There is no parameter of a name, or its shape is another one.

    Example:
        >>> variables = {"params": {"kernel": jax.numpy.zeros((1, 2))}}
        >>> with_values(variables, {"kernel": [[1.0, 2.0]]})
        {'params': {'kernel': Array([[1., 2.]], dtype=float32)}}
    """
    held = leaves(variables)
    check_names(values, (name for collection, name, _ in held if collection == "params"))
    new = [
        fitted(name, leaf, values[name]) if collection == "params" and name in values else leaf
        for collection, name, leaf in held
    ]
    return jax.tree.unflatten(jax.tree.structure(variables), new)


def leaves(variables: Any) -> list[tuple[str, str, Any]]:
    """Return (collection, name, array) of every variable, in the order of the pytree."""
    found = []
    for path, leaf in named_leaves(variables, lambda part: isinstance(part, meta.AxisMetadata)):
        collection, _, name = path.partition(".")
        found += [(collection, name, array) for array in jax.tree.leaves(leaf)]
    return found
