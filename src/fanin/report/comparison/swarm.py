"""Where the dot of each run stands: runs of (nearly) the same score side by side, so that each is seen.

All of it is computed in the chart, in pixels of the place it is drawn at.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import altair as alt

from fanin.report.comparison.ruler import Ruler
from fanin.report.comparison.scales import finite_scores
from fanin.report.schema import ComparisonRecord

MARGIN = 6
"""Pixels between the edge of a chart and its first failed run."""


@dataclass(frozen=True)
class Row:
    """The row of a scheme.

    Args:
        step: Pixels from one row to the next.
        band: Pixels of a row without the space around it.
        pitch: Pixels from one dot to the next.
    """

    step: int
    band: float
    pitch: float

    @property
    def stack(self) -> int:
        """Dots that stand above one another in the upper part of a row; the rest is for the mean."""
        return max(int(0.64 * self.band / self.pitch), 1)


def row(record: ComparisonRecord) -> Row:
    """Return the rows of a record: many schemes make do with less height, many runs with smaller dots."""
    count, runs = len(record["ranking"]), len(record["runs"])
    step = 72 if count <= 4 else 60 if count <= 6 else 46 if count <= 12 else 30
    each = runs / max(count, 1)
    pitch = 7.0 if each <= 20 else 5.5 if each <= 50 else 4.5 if each <= 200 else 3.0
    return Row(step, 0.8 * step * count / (count + 0.2), pitch)


def gap(record: ComparisonRecord, ruler: Ruler) -> float:
    """Return the least distance of two different scores of a scheme, which dots must not bridge.

    An accuracy on 200 examples leaves .005, a loss hardly anything.
    """
    places = [
        sorted({ruler.measure(float(f"{score:.6g}")) for score in values})
        for values in finite_scores(record).values()
    ]
    return min((b - a for found in places for a, b in pairwise(found)), default=0.0)


def stacked(runs: alt.Chart, ruler: Ruler, size: Row, least: float) -> alt.Chart:
    """Give each run an `x` and an `offset`: stacks grow up and down, and wrap where there is room beside.

    Args:
        runs: Finished runs.
        ruler: The axis.
        size: The rows.
        least: The gap between scores.
    """
    dot = f"({size.pitch} * {ruler.pixel})"
    beside = f"(datum.kinds == 1 ? 30 : max(floor({least!r} / {dot}) - 1, 1))"
    spread = f"(datum.column - (datum.columns - 1) / 2) * {dot}"
    high = f"min({size.pitch}, {0.64 * size.band!r} / datum.per)"
    return (
        runs.transform_calculate(slot=f"round({ruler.place('datum.score')} / {dot})")
        .transform_window(nth="row_number()", groupby=["scheme", "slot"])
        .transform_joinaggregate(many="count()", groupby=["scheme", "slot"])
        .transform_joinaggregate(kinds="distinct(score)", groupby=["scheme"])
        .transform_calculate(columns=f"min(ceil(datum.many / {size.stack}), {beside})")
        .transform_calculate(per="ceil(datum.many / datum.columns)")
        .transform_calculate(column="floor((datum.nth - 1) / datum.per)")
        .transform_calculate(
            x=ruler.score(f"{ruler.place('datum.score')} + {spread}"),
            tall="min(datum.per, datum.many - datum.column * datum.per)",
            offset=f"((datum.nth - 1) % datum.per - (datum.tall - 1) / 2) * {high} / {size.band!r} - 0.1",
        )
    )


def lane(record: ComparisonRecord, size: Row) -> int:
    """Return the pixels that failed runs need at their end of the axis; 0 where there are none."""
    most = max((row["failures"]["count"] for row in record["ranking"]), default=0)
    return MARGIN + 6 * min(-(-most // _pile(size)), 9) + 8 if most else 0


def piled(runs: alt.Chart, ruler: Ruler, size: Row, *, left: bool, room: int) -> alt.Chart:
    """Give each failed run an `x` and an `offset` at one end of the axis."""
    pile = _pile(size)
    inwards = (
        f"({MARGIN} + min(6, {room - MARGIN - 14} / max(ceil(datum.many / {pile}) - 1, 1)) * datum.column)"
    )
    end = (
        f"{ruler.start} + {inwards} * {ruler.pixel}" if left else f"{ruler.stop} - {inwards} * {ruler.pixel}"
    )
    return (
        runs.transform_window(nth="row_number()", groupby=["scheme"])
        .transform_joinaggregate(many="count()", groupby=["scheme"])
        .transform_calculate(column=f"floor((datum.nth - 1) / {pile})")
        .transform_calculate(
            x=ruler.score(end),
            tall=f"min({pile}, datum.many - datum.column * {pile})",
            offset=f"((datum.nth - 1) % {pile} - (datum.tall - 1) / 2) * {6.5 / size.band!r}",
        )
    )


def _pile(size: Row) -> int:
    return max(int(size.band / 6.5), 1)
