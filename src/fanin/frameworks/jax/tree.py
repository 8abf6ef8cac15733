"""A plain pytree of arrays: names are all that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from fanin.frameworks.jax.leaves import Values, check_names, fitted, shape_of, typed, why_kept
from fanin.frameworks.names import named
from fanin.graph.inventory import Inventory, Kept
from fanin.graph.parameter import Parameter

IsLeaf = Callable[[Any], bool]


def inventory(tree: Any) -> Inventory:
    """Return what a pytree of arrays is made of: parameters that are unknown, but for their names.

    A name or a shape says nothing for sure about an array's axes, so nothing is guessed; a policy reaches
    the parameters by their names.

    Args:
        tree: Any pytree, such as nested dictionaries.

    Example:
        >>> found = inventory({"layer": {"w": jax.ShapeDtypeStruct((4, 8), "float32")}})
        >>> found.parameters[0].name, found.parameters[0].kind
        ('layer.w', 'unknown')
    """
    parameters, kept = [], []
    for name, leaf in named_leaves(tree):
        reason = why_kept(leaf)
        if reason:
            kept.append(Kept(name, shape_of(leaf), reason))
        else:
            parameters.append(typed(Parameter(name, shape_of(leaf)), leaf))
    return Inventory(tuple(named(parameters)), tuple(kept), f"{type(tree).__name__} (jax)")


def with_values(tree: Any, values: Values) -> Any:
    """Return a pytree with some of its leaves replaced, in their own dtype and sharding.

    Args:
        tree: Any pytree; it is not changed.
        values: The new values by name.

    Raises:
        FaninError: There is no leaf of a name, or its shape is another one.

    Example:
        >>> with_values({"n": 3, "w": jax.numpy.zeros(2)}, {"w": [1.0, 2.0]})
        {'n': 3, 'w': Array([1., 2.], dtype=float32)}
    """
    all_leaves = named_leaves(tree)
    check_names(values, (name for name, _ in all_leaves))
    leaves = [fitted(name, leaf, values[name]) if name in values else leaf for name, leaf in all_leaves]
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)


def named_leaves(tree: Any, is_leaf: IsLeaf | None = None) -> list[tuple[str, Any]]:
    """Return the leaves of a pytree by their paths, in the pytree's own order."""
    return [(joined(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree, is_leaf)]


def joined(path: Any) -> str:
    """Return the name for a path in a pytree, such as "layers.0.weight"."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def children(node: Any) -> list[tuple[str, Any]]:
    """Return the parts of a pytree's node by their names; none for a leaf."""
    below = jax.tree_util.tree_leaves_with_path(node, lambda part: part is not node)
    return [(joined(path), part) for path, part in below if path]
