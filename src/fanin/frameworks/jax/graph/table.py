"""One table: how each primitive of JAX becomes nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.values import Value

Converter = Callable[[Builder, Any, Sequence[Value]], Value | list[Value] | None]
"""From the graph, an equation and its inputs to its values; None for what it does not understand."""

TABLE: dict[str, Converter] = {}

LOOPS: dict[str, Callable[[Any, Any, list[Value]], list[Value]]] = {}
"""What runs programs more than once, or one of several: from the reader, the equation and its inputs."""


def converts(*primitives: str) -> Callable[[Converter], Converter]:
    """Return a decorator that enters a function for some primitives.

    Args:
        *primitives: Their names.
    """

    def enter(converter: Converter) -> Converter:
        TABLE.update(dict.fromkeys(primitives, converter))
        return converter

    return enter
