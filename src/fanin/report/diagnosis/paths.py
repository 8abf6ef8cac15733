"""Paths of layers, and what is around them."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LAST = re.compile(r"([./#][^./#]*| \(layer \d+\))$")
_CALL = re.compile(r"( \(layer \d+\))?(#\d+)?$")


def around(path: str) -> Iterator[str]:
    """Yield a path of a layer or a parameter, and what it is in, from the inside out.

    Example:
        >>> list(around("blocks.0.up.weight"))
        ['blocks.0.up.weight', 'blocks.0.up', 'blocks.0', 'blocks']
        >>> list(around("conv#2"))  # its second call
        ['conv#2', 'conv']
    """
    while path:
        yield path
        shorter = _LAST.sub("", path)
        path = "" if shorter == path else shorter


def module_of(layer: str) -> str:
    """Return the path of a module from the name of one of its calls, or of one of the layers it stacks.

    Example:
        >>> module_of("conv#2"), module_of("lstm (layer 3)")
        ('conv', 'lstm')
    """
    return _CALL.sub("", layer, count=1)
