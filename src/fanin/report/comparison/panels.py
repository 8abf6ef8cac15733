"""Curves, matrix and failure rates of a comparison, as Altair layers over named rows (see datasets)."""

from __future__ import annotations

from typing import Any

import altair as alt

from fanin.report.comparison.channels import (
    also,
    colour,
    dashes,
    opacity,
    ranked,
    rows,
    tick_format,
    unzeroed,
)
from fanin.report.comparison.scales import curve_axis, curve_values, ends
from fanin.report.look import Look
from fanin.report.schema import ComparisonRecord

BANDS = 8
"""With more schemes than this, bands would cover each other: they show for picked schemes only."""


def curves(record: ComparisonRecord, metric: str, look: Look) -> alt.LayerChart:
    """Interquartile means over seeds at each epoch, within the band of the quartiles."""
    bands = [found[metric] for found in record["curves"].values() if metric in found]
    last = max((epoch for band in bands for epoch in band["epoch"]), default=1)
    data = (
        alt.Chart(alt.NamedData("curves"))
        .transform_filter(alt.FieldEqualPredicate(field="metric", equal=metric))
        .transform_flatten(["epoch", "center", "low", "high"])
    )
    x = alt.X("epoch:Q", title="epoch").scale(domain=[1, last] if last > 1 else [0, 2], nice=False)
    y = _levels(record, metric)
    layers = _banded(record, data, x, y, look, alone=last == 1)
    target = record["time_to_target"]
    if target and target["metric"] == metric:
        layers.append(_level(target["value"], look))
    return alt.LayerChart(layer=layers, height=230)


def _levels(record: ComparisonRecord, metric: str) -> alt.Y:
    """Return the axis of a logged quantity; one that never changes still gets room about its level."""
    kind, values = curve_axis(record, metric), curve_values(record, metric)
    target = record["time_to_target"]
    if target and target["metric"] == metric:
        values.append(target["value"])
    scale = alt.Scale(type=kind, zero=unzeroed(kind))
    if len(set(values)) == 1:
        scale.domain = list(ends(values))
    return alt.Y("center:Q", title=None, scale=scale).axis(format=tick_format(kind, values), tickCount=5)


def time_to_target(record: ComparisonRecord, look: Look) -> alt.LayerChart:
    """Kaplan-Meier's share of runs that have reached the target by each epoch, within its band."""
    data = alt.Chart(alt.NamedData("survival")).transform_flatten(["epoch", "reached", "low", "high"])
    x = alt.X("epoch:Q", title="epoch").scale(nice=False)
    y = alt.Y("reached:Q", title=None).scale(domain=[0, 1]).axis(format="%", tickCount=5)
    layers = _banded(record, data, x, y, look, interpolate="step-after")
    # The share after the last epoch would be a step without a tread.
    final = alt.Chart(alt.NamedData("survival")).transform_calculate(
        epoch="peek(datum.epoch)", reached="peek(datum.reached)"
    )
    dots = final.mark_circle(size=40).encode(
        x=x, y=y, color=colour(record, look, legend=True), opacity=opacity(look, 1.0)
    )
    return alt.LayerChart(layer=[*layers, dots], height=230)


def _banded(
    record: ComparisonRecord,
    data: alt.Chart,
    x: alt.X,
    y: alt.Y,
    look: Look,
    *,
    interpolate: Any = alt.Undefined,
    alone: bool = False,
) -> list[alt.Chart]:
    """Return a band (of the fields low and high) and a line for each scheme; points for an epoch alone."""
    x = x.axis(tickMinStep=1, format="d", grid=False, labelFlush=False)
    if alone:
        x = x.axis(values=[1], format="d", grid=False)
    both = data.encode(x=x, color=colour(record, look, legend=True))
    faint = 0.16 if len(record["ranking"]) <= BANDS else 0.0
    bands = both.mark_area(interpolate=interpolate).encode(
        y=also(y, "low:Q"), y2="high:Q", opacity=opacity(look, faint, picked=0.2)
    )
    lines = both.mark_line(strokeWidth=2, interpolate=interpolate, point=alone).encode(
        y=y, strokeDash=dashes(record, look), opacity=opacity(look, 1.0), tooltip=alt.Tooltip("scheme:N")
    )
    return [bands, lines]


def _level(value: float, look: Look) -> alt.Chart:
    """Return a thin line at the target."""
    line = alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=look.muted, strokeDash=[2, 3])
    return line.encode(y=alt.YDatum(value))


# Never rounded to 0 or 1, which are said only of all pairs of runs.
_SHARE = (
    "datum.probability == 1 ? '1' : datum.probability == 0 ? '0' : "
    "datum.probability > 0.995 ? '>.99' : datum.probability < 0.005 ? '<.01' : "
    "substring(format(datum.probability, '.2f'), 1)"
)
_CLEAR = "isValid(datum.interval) && (datum.interval[0] > 0.5 || datum.interval[1] < 0.5)"
_RANGE = (
    "isValid(datum.interval) ? "
    "'[' + format(datum.interval[0], '.3f') + ', ' + format(datum.interval[1], '.3f') + ']' : '–'"
)


def improvement(record: ComparisonRecord, look: Look) -> alt.LayerChart:
    """The probability that a run of the row's scheme scores better than one of the column's."""
    scale = alt.Scale(domain=ranked(record), padding=0.04)
    over = alt.Axis(orient="top", labelAngle=-40, labelLimit=130, grid=False)
    data = (
        alt.Chart(alt.NamedData("improvement"))
        .transform_calculate(share=_SHARE, clear=_CLEAR, range=_RANGE)
        .transform_calculate(strength="min(abs(datum.probability - 0.5), datum.clear ? 0.5 : 0.1)")
        .encode(
            x=alt.X("b:N", title=None, scale=scale, axis=over),
            y=alt.Y("a:N", title=None, scale=scale).axis(grid=False, labelColor=look.ink),
            tooltip=[
                alt.Tooltip("a:N", title="a run of"),
                alt.Tooltip("b:N", title="beats one of"),
                alt.Tooltip("probability:Q", title="with probability", format=".3f"),
                alt.Tooltip("range:N", title="95 % interval"),
            ],
        )
    )
    cells = data.mark_rect(cornerRadius=3).encode(
        color=alt.condition("datum.probability >= 0.5", alt.value(look.better), alt.value(look.worse)),
        opacity=alt.Opacity("strength:Q").scale(domain=[0, 0.5], range=[0.06, 0.62]).legend(None),
    )
    words = data.mark_text(fontSize=12).encode(
        text="share:N", color=alt.condition("datum.clear", alt.value(look.ink), alt.value(look.muted))
    )
    return alt.LayerChart(layer=[cells, words], height=34 * max(len(record["ranking"]), 1))


def failures(record: ComparisonRecord, look: Look) -> alt.LayerChart:
    """The share of runs that failed, with its Wilson interval."""
    top = max((row["failures"]["interval"][1] for row in record["ranking"]), default=0.0)
    data = alt.Chart(alt.NamedData("ranking")).transform_calculate(
        low="datum.failures.interval[0]",
        high="datum.failures.interval[1]",
        rate="datum.failures.rate",
        text="datum.failures.count + ' of ' + datum.runs",
    )
    scale = alt.Scale(domain=[0, min(max(top * 1.2, 0.1), 1)], padding=9, nice=False)
    x = alt.X("rate:Q", title="runs that failed", scale=scale).axis(format="%", tickCount=5)
    both = data.encode(y=rows(record, look), color=colour(record, look))
    bar = both.mark_rule(strokeWidth=4, strokeCap="round").encode(
        x=also(x, "low:Q"), x2="high:Q", opacity=opacity(look, 0.45)
    )
    dot = both.mark_circle(size=90).encode(x=x, opacity=opacity(look, 1.0))
    words = data.mark_text(align="left", dx=8, color=look.muted).encode(
        x=also(x, "high:Q"), y=rows(record, look), text="text:N"
    )
    return alt.LayerChart(layer=[bar, dot, words], height=28 * max(len(record["ranking"]), 1))
