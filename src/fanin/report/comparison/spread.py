"""The panel of final scores: every run as a dot, and what the ranking makes of them."""

from __future__ import annotations

import altair as alt

from fanin.report.comparison.channels import also, colour, opacity, rows
from fanin.report.comparison.scales import Range, axis_type, close_up, extent, finite_scores
from fanin.report.look import Look
from fanin.report.schema import ComparisonRecord

_FINE = "!datum.failed && isValid(datum.score)"
_CROSS = "M-1,-1L1,1M1,-1L-1,1"


def scores(record: ComparisonRecord, look: Look) -> alt.LayerChart:
    """Dots stacked to either side of their scheme's line; failed runs are crosses at the bad end.

    Where a close-up serves better than the whole range, schemes outside it are named at the edge; on a
    page the parameter `close` switches between the two.
    """
    near, step = close_up(record), row_height(record)
    x, y, shade = _axis(record, near, look), rows(record, look), colour(record, look)
    runs = alt.Chart(alt.NamedData("runs")).encode(y=y)
    fine = runs.transform_filter(_FINE).encode(color=shade)
    box = fine.mark_rule(strokeWidth=0.74 * step, clip=True).encode(
        x=also(x, "q1(score):Q"), x2="q3(score):Q", opacity=opacity(look, 0.14)
    )
    few = len(record["runs"]) <= 50 * len(record["ranking"])
    dots = _stacked(fine, near or extent(record)).mark_circle(size=26 if few else 14, clip=True)
    dots = dots.encode(
        x=x,
        yOffset=alt.YOffset("offset:Q").scale(domain=[-0.5, 0.5]),
        opacity=opacity(look, 0.55),
        tooltip=["scheme:N", "seed:Q", alt.Tooltip("score:Q", format=".6~g")],
    )
    layers = [box, dots, *_means(x, y, look, under=0.3 * step)]
    if any(run["failed"] for run in record["runs"]):
        layers.append(_lost(record, runs, look))
    if near:
        layers.append(_outside(record, near, y, look))
    return alt.LayerChart(layer=layers, height=step * max(len(record["ranking"]), 1))


def row_height(record: ComparisonRecord) -> int:
    """Return the pixels of a scheme's row; many schemes make do with less."""
    count = len(record["ranking"])
    return 60 if count <= 6 else 46 if count <= 12 else 30


def _axis(record: ComparisonRecord, near: Range | None, look: Look) -> alt.X:
    kind = axis_type(value for values in finite_scores(record).values() for value in values)
    room = 26 if near or any(run["failed"] for run in record["runs"]) else 10
    full = extent(record)
    if near and look.page:
        ends = [alt.ExprRef(f"close ? {a!r} : {b!r}") for a, b in zip(near, full, strict=True)]
        scale = alt.Scale(type=kind, nice=False, padding=room, domainMin=ends[0], domainMax=ends[1])
    else:
        scale = alt.Scale(type=kind, nice=False, padding=room, domain=list(near or full))
    scale.zero = False
    title = record["score"]["metric"] + " after the last epoch"
    return alt.X("score:Q", title=title, scale=scale).axis(format="~g", tickCount=6)


def _stacked(chart: alt.Chart, span: Range) -> alt.Chart:
    """Put dots of (nearly) the same score side by side, centered; the tallest stack fills the row."""
    unit = (span[1] - span[0]) / 90
    return (
        chart.transform_calculate(slot=f"round(datum.score / {unit!r})")
        .transform_window(place="row_number()", groupby=["scheme", "slot"])
        .transform_joinaggregate(many="count()", groupby=["scheme", "slot"])
        .transform_joinaggregate(most="max(many)", groupby=["scheme"])
        .transform_calculate(offset="0.66 * (datum.place - (datum.many + 1) / 2) / max(datum.most, 7) - 0.1")
    )


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


def _lost(record: ComparisonRecord, runs: alt.Chart, look: Look) -> alt.Chart:
    """Return a cross for each run without a score, spread over its row by the golden ratio."""
    data = runs.transform_filter(f"!({_FINE})").transform_calculate(
        offset="0.8 * ((datum.seed * 0.618034) % 1 - 0.5)", outcome="'failed'"
    )
    mark = data.mark_point(shape=_CROSS, size=22, filled=False, strokeWidth=1.5, color=look.bad)
    return mark.encode(
        x=_bad_end(record, 8),
        yOffset=alt.YOffset("offset:Q"),
        opacity=opacity(look, 0.8),
        tooltip=["scheme:N", "seed:Q", "outcome:N"],
    )


def _outside(record: ComparisonRecord, near: Range, y: alt.Y, look: Look) -> alt.Chart:
    left = record["score"]["direction"] == "max"
    beyond = f"datum.iqm < {near[0]!r} || datum.iqm > {near[1]!r}"
    test = f"isValid(datum.iqm) && ({beyond})" + (" && close" if look.page else "")
    arrow = "'◂ ' + format(datum.iqm, '.4~g')" if left else "format(datum.iqm, '.4~g') + ' ▸'"
    data = alt.Chart(alt.NamedData("ranking")).transform_filter(test).transform_calculate(text=arrow)
    words = data.mark_text(align="left" if left else "right", color=look.muted)
    return words.encode(x=_bad_end(record, 18), y=y, text="text:N", opacity=opacity(look, 1.0))


def _bad_end(record: ComparisonRecord, distance: int) -> alt.XValue:
    """Return a place at the end of the axis where bad scores are."""
    left = record["score"]["direction"] == "max"
    return alt.XValue(distance if left else alt.ExprRef(f"width - {distance}"))
