"""The parts of an NNX module, in an order that is the same before and after `nnx.split` and `nnx.merge`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
from flax import nnx


def parts(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the modules, containers, variables and arrays that a node holds, by their names in it."""
    # Attributes lose the order of their definition in nnx.merge, so that only their names can give one.
    for name, part in sorted(_named(node), key=_order):
        if isinstance(part, nnx.Variable | jax.Array | jax.ShapeDtypeStruct) or is_node(part):
            yield name, part


def is_node(part: Any) -> bool:
    """Return whether something can hold variables: a module or a container."""
    return isinstance(part, nnx.Pytree | list | tuple | dict)


def below(path: str, name: str) -> str:
    """Return the path of a part."""
    return f"{path}.{name}" if path else name


def variables(node: Any, path: str = "", above: tuple[int, ...] = ()) -> Iterator[tuple[str, nnx.Variable]]:
    """Yield every variable under every path that leads to it; shared ones come more than once."""
    for name, part in parts(node):
        full = below(path, name)
        if isinstance(part, nnx.Variable):
            yield full, part
        elif is_node(part) and id(part) not in above:  # a module may know its parent
            yield from variables(part, full, (*above, id(node)))


def _order(named: tuple[str, Any]) -> tuple[int, str]:
    name, _ = named
    return (int(name), "") if name.isdecimal() else (-1, name)


def _named(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from ((str(name), part) for name, part in node.items())
    elif isinstance(node, list | tuple):
        yield from ((str(place), part) for place, part in enumerate(node))
    else:
        own = vars(node).items()
        yield from ((name, part) for name, part in own if not name.startswith("_pytree__"))
