"""Blocks of a model, by their paths."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_LAST = re.compile(r"\d+$")


def above(path: str) -> list[str]:
    """Return the paths of the modules that a module is in."""
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def repeated(paths: Sequence[str]) -> set[str]:
    """Return the modules that follow others whose paths differ by the last number, or that are called again.

    Example:
        >>> sorted(repeated(["block_0.attn_0", "block_0", "block_1.attn_0", "block_1", "head"]))
        ['block_0', 'block_1']
    """
    several = {path for path, count in Counter(paths).items() if count > 1}
    again = {path for path in several if not several.intersection(above(path))}
    stems = Counter(_LAST.sub("", path) for path in dict.fromkeys(paths))
    return again | {path for path in paths if _LAST.search(path) and stems[_LAST.sub("", path)] > 1}
