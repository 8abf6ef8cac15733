"""Scales of outputs and gradients along the depth of a model, with the findings marked, as charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from fanin.report import axes
from fanin.report.diagnosis import rows
from fanin.report.diagnosis.places import places, touched
from fanin.report.diagnosis.record import DiagnosisRecord, FindingRecord
from fanin.report.look import WIDTH, Look
from fanin.report.numbers import plain

HEIGHT = 240
PANELS = {
    "forward": "Signal: √E[x²] of each layer's output",
    "backward": "Gradient: √E[g²] with respect to it",
}
_OTHERS = {"forward": "BWD", "backward": "FWD"}
"""Findings that are not about what a panel shows."""
_LINES, _LINE, _NEAR = 3, 13, 0.1
"""Lines of codes, their height, and the share of the width in which one would cover the next."""


def datasets(record: DiagnosisRecord) -> dict[str, list[dict[str, Any]]]:
    """Return what the charts are drawn from: a panel's layers by its name, and "marks", the findings.

    Args:
        record: What a diagnosis says.
    """
    told = [
        {
            "key": f"{place}:{plain(row.name)}",
            "place": place,
            "name": plain(row.name),
            "type": plain(row.kind),
            "flags": ", ".join((*row.codes, *row.flags)),
        }
        for place, row in enumerate(rows.table(record))
    ]
    return {name: _panel(name, record, told) for name in PANELS} | {"marks": _marks(record, told)}


def _panel(name: str, record: DiagnosisRecord, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    grave = touched(record, but=_OTHERS[name])
    spreads = [layer["output"] if name == "forward" else layer["gradient"] for layer in record["layers"]]
    scales = [spread and spread["scale"] for spread in spreads]
    if all(scale is None for scale in scales):
        return []
    return [
        one | _value(scale) | {"severity": grave.get(place, "none")}
        for place, (one, scale) in enumerate(zip(told, scales, strict=True))
    ]


def _value(scale: float | None) -> dict[str, Any]:
    return {"value": float(f"{scale:.4g}") if scale else None, "zero": scale == 0}


def _marks(record: DiagnosisRecord, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = sorted(places(record).items())
    lines = _lines([place for place, _ in found], len(told))
    return [
        told[place] | {"severity": those[0]["severity"], "codes": _codes(those), "line": line}
        for (place, those), line in zip(found, lines, strict=True)
    ]


def _lines(places: Sequence[int], count: int) -> list[int]:
    """Return a line for each code, another one than that of the one before where they are neighbours."""
    lines: list[int] = []
    for number, place in enumerate(places):
        near = number > 0 and place - places[number - 1] < _NEAR * count
        lines.append((lines[-1] + 1) % _LINES if near else 0)
    return lines


def _codes(findings: list[FindingRecord]) -> str:
    return ", ".join(finding["code"] for finding in findings)


def panel(name: str, data: dict[str, list[dict[str, Any]]], look: Look) -> alt.LayerChart:
    """Return one chart along the depth.

    Args:
        name: "forward" or "backward".
        data: From `datasets`.
        look: Colours.
    """
    x = axes.layers("key", "slice(datum.label, indexof(datum.label, ':') + 1)")
    y = axes.logarithmic(*axes.decades(row["value"] for row in data[name]))
    if not any(row["value"] for row in data[name]):
        y = y.axis(labels=False, grid=False)
    own = look.colours[0 if name == "forward" else 1]
    grades = {"none": own, "error": look.bad, "warning": look.colours[4], "info": look.muted}
    colour = alt.Color("severity:N", legend=None).scale(domain=list(grades), range=list(grades.values()))
    size = alt.condition(alt.datum.severity == "none", alt.value(22), alt.value(70))
    layers, marks = alt.Chart(alt.NamedData(name)), alt.Chart(alt.NamedData("marks"))
    drawn = [
        marks.mark_rule(strokeDash=[3, 3], strokeWidth=1.2).encode(x=x, color=colour, tooltip=_tooltip()),
        layers.mark_line(strokeWidth=1.8, color=own).encode(x=x, y=y),
        layers.mark_point(filled=True, opacity=1).encode(
            x=x, y=y, color=colour, size=size, tooltip=_tooltip("value")
        ),
        layers.transform_filter("datum.zero")
        .mark_text(text="0", fontWeight=600)
        .encode(x=x, y=alt.value(HEIGHT - 8), color=colour, tooltip=_tooltip()),
        *(_texts(marks, line, x, look) for line in range(_LINES)),
    ]
    width: Any = "container" if look.page else WIDTH
    title = alt.Title(
        PANELS[name], offset=8 + _LINE * (1 + max((row["line"] for row in data["marks"]), default=-1))
    )
    return alt.LayerChart(layer=drawn, width=width, height=HEIGHT, title=title)


def _texts(marks: alt.Chart, line: int, x: alt.X, look: Look) -> alt.Chart:
    """Return the codes of one line above the chart."""
    text = marks.transform_filter(alt.FieldEqualPredicate(field="line", equal=line)).mark_text(
        align="left", dx=-1, fontWeight=600, fontSize=11, color=look.ink
    )
    return text.encode(x=x, y=alt.value(-7 - _LINE * line), text="codes:N")


def _tooltip(*more: str) -> list[alt.Tooltip]:
    known = {"value": alt.Tooltip("value:Q", title="scale", format=".3~g")}
    shown = [alt.Tooltip("name:N", title="layer"), alt.Tooltip("type:N"), *(known[name] for name in more)]
    return [*shown, alt.Tooltip("flags:N", title="marks")]
