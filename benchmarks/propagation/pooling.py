"""Bars of several rows of the table taken together."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any

from benchmarks.propagation.agreement import WAYS

Record = dict[str, Any]
FEW = 10
"""Layers of a type below which a share of it says little."""


def pooled(several: Iterable[Record | None]) -> Record | None:
    """Return the share within bars over all layers, and the median of spreads.

    Args:
        several: Records of `accuracy.bars_of`.

    Example:
        >>> pooled([{"count": 1, "within": 0.5, "spread": 2.0}, {"count": 3, "within": 0.9, "spread": 1.0}])
        {'count': 4, 'within': 0.8, 'spread': 1.0}
    """
    known = [one for one in several if one is not None]
    total = sum(one["count"] for one in known)
    if not total:
        return None
    return {
        "count": total,
        "within": sum(one["count"] * one["within"] for one in known) / total,
        "spread": median(one["spread"] for one in known for _ in range(one["count"])),
    }


def by_type(cells: Iterable[dict[str, dict[str, Record]]]) -> dict[str, dict[str, Record | None]]:
    """Return the bars of each type of layer, forward and backward, the most frequent first.

    Args:
        cells: For each row, by way and by type.
    """
    cells = list(cells)
    kinds = {kind for cell in cells for kind in cell["forward"]}
    found = {kind: {way: pooled(cell[way].get(kind) for cell in cells) for way in WAYS} for kind in kinds}
    many = {kind: ways for kind, ways in found.items() if _count(ways) >= FEW}
    return dict(sorted(many.items(), key=lambda item: (-_count(item[1]), item[0])))


def _count(ways: dict[str, Record | None]) -> int:
    return ways["forward"]["count"] if ways["forward"] else 0
