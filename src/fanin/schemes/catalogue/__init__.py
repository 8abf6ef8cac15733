"""The catalogue: every scheme with its formula and its source, one file a family."""

from __future__ import annotations

import inspect
import sys

from fanin.schemes.catalogue import (
    choosing,
    fixed,
    implicit,
    matrix,
    meanfield,
    outputs,
    presets,
    recurrent,
    residual,
    scaling,
    statespace,
    transformers,
    width,
)
from fanin.schemes.registry import ALIASES, CATALOGUE, Entry

__all__ = ["ALIASES", "CATALOGUE", "families"]

_FAMILIES = (
    choosing, scaling, matrix, fixed, meanfield, residual, transformers, width, recurrent, statespace,
    implicit, outputs, presets,
)  # fmt: skip


def families() -> dict[str, list[Entry]]:
    """Return all schemes by family, those that users added at the end.

    Example:
        >>> [entry.name for entry in families()["What fanin would choose"]]
        ['auto']
    """
    places = {family.__name__: place for place, family in enumerate(_FAMILIES)}
    found: dict[str, list[Entry]] = {}
    for entry in sorted(CATALOGUE.values(), key=lambda one: places.get(one.make.__module__, len(places))):
        found.setdefault(_title(entry.make.__module__), []).append(entry)
    return found


def _title(module: str) -> str:
    """Return what a module says that it is about, up to the first colon."""
    text = (inspect.getdoc(sys.modules[module]) or module).partition("\n")[0]
    return text.partition(":")[0].rstrip(".")
