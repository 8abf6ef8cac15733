"""The panel of final scores: every run as a dot, and what the ranking makes of them."""

from __future__ import annotations

from dataclasses import replace

import altair as alt

from fanin.report.comparison.channels import also, colour, opacity, rows, tick_format
from fanin.report.comparison.ruler import Ruler
from fanin.report.comparison.scales import Range, axis_type, close_up, extent, finite_scores
from fanin.report.comparison.swarm import Row, gap, lane, piled, row, stacked
from fanin.report.look import WIDTH, Look
from fanin.report.schema import ComparisonRecord

_FINE = "!datum.failed && isValid(datum.score)"
_CROSS = "M-1,-1L1,1M1,-1L-1,1"


def scores(record: ComparisonRecord, look: Look) -> alt.LayerChart:
    """Dots stacked about their scheme's line; failed runs are crosses at the bad end.

    Where a close-up serves better than the whole range, schemes outside it are named at the edge; on a
    page the parameter `close` switches between the two.
    """
    near, size = close_up(record), row(record)
    ruler = _ruler(record, near, look, size)
    x, y, shade = _axis(record, ruler), rows(record, look), colour(record, look)
    runs = alt.Chart(alt.NamedData("runs")).encode(y=y)
    fine = runs.transform_filter(_FINE).encode(color=shade)
    box = fine.mark_rule(strokeWidth=0.74 * size.step, clip=True).encode(
        x=also(x, "q1(score):Q"), x2="q3(score):Q", opacity=opacity(look, 0.13)
    )
    dots = stacked(fine, ruler, size, gap(record, ruler)).mark_circle(size=0.7 * size.pitch**2, clip=True)
    dots = dots.encode(
        x=also(x, "x:Q"),
        yOffset=alt.YOffset("offset:Q").scale(domain=[-0.5, 0.5]),
        opacity=opacity(look, 0.85),
        tooltip=["scheme:N", "seed:Q", alt.Tooltip("score:Q", format=".6~g")],
    )
    layers = [box, dots.properties(name="runs"), *_means(x, y, look, under=0.3 * size.step)]
    if not any(finite_scores(record).values()):
        layers = []  # Vega warns of scales over nothing
    if any(run["failed"] for run in record["runs"]) or not layers:
        layers.append(_lost(record, runs, x, ruler, look).properties(name="failed"))
    if near:
        layers.append(_outside(record, near, y, look))
    return alt.LayerChart(layer=layers, height=size.step * max(len(record["ranking"]), 1))


def _ruler(record: ComparisonRecord, near: Range | None, look: Look, size: Row) -> Ruler:
    """Return the axis: room for dots at both ends, and for failed runs and names at the bad one."""
    kind = axis_type(value for values in finite_scores(record).values() for value in values)
    bare = Ruler(kind, "", "", 0, 0, "width" if look.page else str(WIDTH))
    full = [bare.measure(end) for end in extent(record)]
    ends = [repr(end) for end in full]
    if near:
        ends = [repr(bare.measure(end)) for end in near]
        if look.page:
            ends = [f"(close ? {close} : {end!r})" for close, end in zip(ends, full, strict=True)]
    bad = max(lane(record, size), 26 if near else 12)
    left, right = (bad, 12) if _better(record) == "right" else (12, bad)
    return replace(bare, low=ends[0], high=ends[1], left=left, right=right)


def _axis(record: ComparisonRecord, ruler: Ruler) -> alt.X:
    title = record["score"]["metric"] + " after the last epoch"
    ticks = tick_format(ruler.kind, extent(record))
    return alt.X("score:Q", title=title, scale=ruler.scale()).axis(format=ticks, tickCount=6)


def _means(x: alt.X, y: alt.Y, look: Look, *, under: float) -> list[alt.Chart]:
    """Return the interquartile mean as a ring on the bar of its interval, below the dots to hide none."""
    data = (
        alt.Chart(alt.NamedData("ranking"))
        .transform_filter("isValid(datum.iqm)")
        .transform_calculate(
            low="datum.interval ? datum.interval[0] : datum.iqm",
            high="datum.interval ? datum.interval[1] : datum.iqm",
        )
        .encode(y=y, opacity=opacity(look, 1.0))
    )
    bar = data.mark_rule(strokeWidth=4, color=look.ink, clip=True, strokeCap="round", yOffset=under)
    dot = data.mark_circle(size=64, fill=look.paper, stroke=look.ink, strokeWidth=2, clip=True, yOffset=under)
    tip = ["scheme:N", alt.Tooltip("iqm:Q", format=".5~g")]
    return [bar.encode(x=also(x, "low:Q"), x2="high:Q"), dot.encode(x=also(x, "iqm:Q"), tooltip=tip)]


def _lost(record: ComparisonRecord, runs: alt.Chart, x: alt.X, ruler: Ruler, look: Look) -> alt.Chart:
    """Return a cross for each run that failed, piled up at the bad end of its row."""
    left, size = _better(record) == "right", row(record)
    lost = runs.transform_filter(f"!({_FINE})").transform_calculate(outcome="'failed'")
    data = piled(lost, ruler, size, left=left, room=lane(record, size))
    mark = data.mark_point(shape=_CROSS, size=16, filled=False, strokeWidth=1.5, color=look.bad)
    return mark.encode(
        x=also(x, "x:Q"),
        yOffset=alt.YOffset("offset:Q"),
        opacity=opacity(look, 0.9),
        tooltip=["scheme:N", "seed:Q", "outcome:N"],
    )


def _outside(record: ComparisonRecord, near: Range, y: alt.Y, look: Look) -> alt.Chart:
    """Name the schemes whose interquartile mean a close-up does not show, at the bad end of their row."""
    left, distance = _better(record) == "right", max(lane(record, row(record)), 4)
    beyond = f"datum.iqm < {near[0]!r} || datum.iqm > {near[1]!r}"
    test = f"isValid(datum.iqm) && ({beyond})" + (" && close" if look.page else "")
    arrow = "'← ' + format(datum.iqm, '.4~g')" if left else "format(datum.iqm, '.4~g') + ' →'"
    data = alt.Chart(alt.NamedData("ranking")).transform_filter(test).transform_calculate(text=arrow)
    words = data.mark_text(align="left" if left else "right", color=look.muted)
    width = "width" if look.page else str(WIDTH)
    place = alt.XValue(distance if left else alt.ExprRef(f"{width} - {distance}"))
    return words.encode(x=place, y=y, text="text:N", opacity=opacity(look, 1.0))


def _better(record: ComparisonRecord) -> str:
    """Return the end of the axis where good scores are."""
    return "right" if record["score"]["direction"] == "max" else "left"
