"""How values are put into an Equinox module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax

from fanin.frameworks.jax import tree
from fanin.frameworks.jax.leaves import Values
from fanin.frameworks.jax.tree import joined, named_leaves


def with_values(model: Any, values: Values) -> Any:
    """Return a module with some of its arrays replaced, in their own dtype and sharding.

    The magnitudes of a `WeightNorm` follow its new weight, so that the layer computes with just that.

    Args:
        model: Any module; it is not changed.
        values: The new values by parameter name.

    Raises:
        FaninError: There is no array of a name, or its shape is another one.

    Example:
        >>> model = eqx.nn.Linear(2, 1, key=jax.random.key(0))
        >>> with_values(model, {"weight": [[1.0, 1.0]], "bias": [0.0]})(jax.numpy.ones(2))
        Array([2.], dtype=float32)
    """
    changed = tree.with_values(model, values)
    for path, node in _weight_norms(changed):
        if f"{path}.layer.{node.weight_name}".lstrip(".") in values:
            found = {joined(p): part for p, part in jax.tree_util.tree_leaves_with_path(node)}
            name = f"{path}.g".lstrip(".")
            changed = tree.with_values(changed, {name: node._norm(found[f"layer.{node.weight_name}"])})
    return changed


def _weight_norms(model: Any) -> Iterator[tuple[str, Any]]:
    for name, node in named_leaves(model, lambda part: isinstance(part, eqx.nn.WeightNorm)):
        if isinstance(node, eqx.nn.WeightNorm):
            yield name, node
