"""Which axis shows a set of numbers best: straight or logarithmic, all of it or a close-up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from fanin.report.schema import ComparisonRecord

Range = tuple[float, float]

WIDE = 30.0
"""A ratio of largest to smallest from which on a straight axis hides the small values."""


def axis_type(values: Iterable[float | None]) -> Literal["log", "linear"]:
    """Return "log" for positive values that span more than WIDE.

    Example:
        >>> axis_type([0.01, 0.5, 2.3]), axis_type([0.0, 10.0]), axis_type([0.4, 0.9])
        ('log', 'linear', 'linear')
    """
    known = [value for value in values if value is not None]
    return "log" if known and min(known) > 0 and max(known) > WIDE * min(known) else "linear"


def curve_axis(record: ComparisonRecord, metric: str) -> Literal["log", "linear"]:
    """Return the axis that shows all learning curves of a logged quantity."""
    return axis_type(curve_values(record, metric))


def curve_values(record: ComparisonRecord, metric: str) -> list[float]:
    """Return every number that the learning curves of a logged quantity and their bands go through."""
    bands = [bands[metric] for bands in record["curves"].values() if metric in bands]
    found = [value for band in bands for key in ("center", "low", "high") for value in band[key]]
    return [value for value in found if value is not None]


def finite_scores(record: ComparisonRecord) -> dict[str, list[float]]:
    """Return the sorted scores of each scheme's finished runs, in the order of the ranking."""
    found: dict[str, list[float]] = {row["scheme"]: [] for row in record["ranking"]}
    for run in record["runs"]:
        if run["score"] is not None and not run["failed"]:
            found[run["scheme"]].append(run["score"])
    return {scheme: sorted(values) for scheme, values in found.items()}


def extent(record: ComparisonRecord) -> Range:
    """Return the least and the greatest of all scores and interval ends; (0, 1) where there are none."""
    bounds = [end for row in record["ranking"] for end in row["interval"] or ()]
    values = [value for scheme in finite_scores(record).values() for value in scheme] + bounds
    return ends(values) if values else (0.0, 1.0)


def ends(values: Sequence[float]) -> Range:
    """Return the least and the greatest value, with room about them where they are the same.

    Example:
        >>> ends([0.2, 0.1]), ends([2.0, 2.0])
        ((0.1, 0.2), (1.9, 2.1))
    """
    low, high = min(values), max(values)
    room = 0.0 if high > low else max(abs(low) * 0.05, 1e-6)
    return low - room, high + room


def close_up(record: ComparisonRecord) -> Range | None:
    """Return the range that shows the leading schemes apart, or None when the full range does.

    A scheme that lies far behind (more than four times the typical spread of a scheme) would press all
    the others into a corner of the axis.

    Returns:
        Least and greatest score of the leading schemes, if that is less than half of the full range.
    """
    schemes = [values for values in finite_scores(record).values() if values]
    spreads = sorted(
        spread for values in schemes if (spread := _share(values, 0.95) - _share(values, 0.05)) > 0
    )
    if len(schemes) < 3 or not spreads:
        return None
    low, high = schemes[0][0], schemes[0][-1]
    for values in schemes[1:]:
        away = max(low - values[-1], values[0] - high)
        if away > 4 * spreads[len(spreads) // 2]:
            break
        low, high = min(low, values[0]), max(high, values[-1])
    full = extent(record)
    return (low, high) if 0 < high - low < 0.5 * (full[1] - full[0]) else None


def _share(values: Sequence[float], share: float) -> float:
    return values[round(share * (len(values) - 1))]
