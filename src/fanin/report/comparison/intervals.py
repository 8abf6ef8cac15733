"""The intervals of the ranking as marks in its table, in per cent of one axis."""

from __future__ import annotations

from dataclasses import dataclass

from fanin.report.comparison.scales import Range, close_up, extent
from fanin.report.schema import ComparisonRecord, Row


@dataclass(frozen=True)
class Span:
    """An interval and its center in per cent of an axis; `off` names the end it lies behind, if any."""

    low: float
    center: float
    high: float
    off: str = ""


def axis(record: ComparisonRecord) -> Range:
    """Return the ends of an axis that holds all intervals, but for schemes that lie far behind."""
    near = close_up(record)
    rows = [row for row in record["ranking"] if row["iqm"] is not None]
    if near:
        rows = [row for row in rows if near[0] <= (row["iqm"] or 0) <= near[1]]
    values = [value for row in rows for value in (*(row["interval"] or ()), row["iqm"]) if value is not None]
    if len(set(values)) < 2:
        return near or extent(record)
    room = 0.06 * (max(values) - min(values))
    return min(values) - room, max(values) + room


def span(row: Row, ends: Range) -> Span | None:
    """Return the mark of a row, or None where there is no number."""
    if row["iqm"] is None:
        return None
    low, high = row["interval"] or (row["iqm"], row["iqm"])
    left, center, right = (100 * (value - ends[0]) / (ends[1] - ends[0]) for value in (low, row["iqm"], high))
    off = "left" if right < 0 else "right" if left > 100 else ""
    return Span(*(round(min(max(place, 0), 100), 2) for place in (left, center, right)), off=off)
