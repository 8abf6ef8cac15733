"""Modules that a loop or another transformation takes apart and puts together again: which they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from fanin.frameworks.jax.graph.tags import Copied, Place

Parts = Callable[[Any], Iterable[tuple[str, Any]]]
"""From a module to its parts by their paths in it: itself, "", and all modules below."""

Arrays = Callable[[Any], Iterable[tuple[str, tuple[int, ...]]]]
"""From a module to the shapes of its arrays by their paths in it."""


class _Original(NamedTuple):
    path: str
    kinds: tuple[tuple[str, type], ...]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]


def copies_of(modules: Iterable[tuple[str, Any]], parts: Parts, arrays: Arrays) -> Copied:
    """Return what finds the places of copies of modules.

    A copy has the same parts with arrays of the same shapes, or of those in a stack of which it is one. Where
    several are alike, it is the only one below the module that calls it.

    Args:
        modules: The modules by their paths.
        parts: What a module consists of.
        arrays: Its arrays.
    """
    originals = [_Original(path, *_described(module, parts, arrays)) for path, module in modules]

    def copied(unknown: Any, caller: str) -> dict[int, Place]:
        kinds, shapes = _described(unknown, parts, arrays)
        same = [one for one in originals if one.kinds == kinds and _fits(shapes, one.shapes)]
        inner = [one for one in same if one.path.startswith(f"{caller}." if caller else "")]
        found = inner if len(inner) == 1 else same
        if len(found) != 1:
            return {}
        return {
            id(part): Place(_below(found[0].path, name), type(part).__name__) for name, part in parts(unknown)
        }

    return copied


def _described(module: Any, parts: Parts, arrays: Arrays) -> tuple[Any, Any]:
    return tuple((name, type(part)) for name, part in parts(module)), tuple(sorted(arrays(module)))


def _fits(shapes: Any, of_original: Any) -> bool:
    """Return whether arrays have the shapes of others, or all of these one axis more in front."""
    names, others = [name for name, _ in shapes], [name for name, _ in of_original]
    return names == others and any(
        all(shape == other[skipped:] for (_, shape), (_, other) in zip(shapes, of_original, strict=True))
        for skipped in (0, 1)
    )


def _below(path: str, name: str) -> str:
    return ".".join(part for part in (path, name) if part)
