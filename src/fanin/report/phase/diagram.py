"""A phase diagram as a chart: phases by hue, depth scales by strength, the critical line on top."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from fanin.report.look import FONT, LIGHT, Look, config
from fanin.report.numbers import plain
from fanin.report.phase.record import CriticalPointRecord, DiagramRecord, LineRecord

WIDTH, HEIGHT = 520, 360
DEEPEST = 100.0
"""Depth scales from here on look alike."""
HUES = {
    "ordered": ["#eef5fb", "#a8cfea", "#3f94cb", "#0a5c96", "#053455"],
    "chaotic": ["#fdf1e8", "#f6c19b", "#e5813a", "#a94a00", "#5c2900"],
}
GREYS = {"unbounded": "#cfd3d8", "vanishing": "#e9ebee"}
_WORDS = {"unbounded": "unbounded\nq → ∞", "vanishing": "vanishing\nq → 0"}
_LEAST = 1e-5  # q; below it the line does not move any more
_OVERLAP = 1.25  # so that no seams show between cells


def chart(record: DiagramRecord, look: Look = LIGHT) -> alt.LayerChart:
    """Return a phase diagram.

    Args:
        record: What a diagram says.
        look: Colours of text and lines.

    Returns:
        A chart that carries its own data unless it is a page's: show it, change it or save it.
    """
    columns, rows = _ends(record["weight_variances"]), _ends(record["bias_variances"])
    x = alt.X("w:Q", title="σ_w²: variance of the weights × fan-in").scale(domain=columns, nice=False)
    y = alt.Y("b:Q", title="σ_b²: variance of the biases").scale(domain=rows, nice=False)
    x, y = x.axis(grid=False), y.axis(grid=False)
    present = {phase for row in record["phase"] for phase in row}
    cells = _all_cells(record)
    layers = [_depths(cells, phase, x, y) for phase in HUES if phase in present]
    layers += [_plain(cells, phase, x, y) for phase in GREYS if phase in present]
    layers += [*_line(x, y), _labels(x, y)]
    made = alt.LayerChart(layer=layers, resolve=alt.Resolve(scale=alt.ScaleResolveMap(color="independent")))
    made.width, made.height = "container" if look.page else WIDTH, HEIGHT
    if look.page:
        return made
    made.config = alt.Config(**config(look))
    made.datasets = alt.Datasets(**datasets(record))
    made.title = alt.Title(
        f"Order and chaos with {plain(record['name'])}",
        subtitle=subtitle(record),
        subtitleFont=FONT,
        subtitleColor=look.muted,
    )
    return made


def subtitle(record: DiagramRecord) -> str:
    """Return what the line is."""
    if record["line"] is None:
        return "Where f jumps inputs part at once, however close they are."
    if not record["line"]["points"]:
        return "No critical line: inputs never keep their distance."
    dashed = any(not _stable(point) for point in record["line"]["points"])
    return f"Line: critical{'; dashed where the variance does not rest there' if dashed else ''}."


def datasets(record: DiagramRecord) -> dict[str, list[dict[str, Any]]]:
    """Return what the chart is drawn from."""
    return {
        "cells": _cells(record),
        "line": [] if record["line"] is None else _path(record["line"], record),
        "labels": _places(record),
    }


def _all_cells(record: DiagramRecord) -> alt.Chart:
    wide, high = (_step(record[key]) / 2 * _OVERLAP for key in ("weight_variances", "bias_variances"))
    ends = {"w": f"datum.weight - {wide}", "w2": f"datum.weight + {wide}"}
    ends |= {"b": f"datum.bias - {high}", "b2": f"datum.bias + {high}"}
    return alt.Chart(alt.NamedData("cells")).transform_calculate(**ends).mark_rect(clip=True)


def _depths(cells: alt.Chart, phase: str, x: alt.X, y: alt.Y) -> alt.Chart:
    domain = [10 ** (2 * step / 4) for step in range(5)]
    legend = alt.Legend(
        title=["layers to agree," if phase == "ordered" else "layers to part,", f"ξ_c ({phase})"],
        values=[1, 3, 10, 30, 100],
        format="~g",
        gradientLength=HEIGHT / 2 - 60,
        gradientThickness=12,
    )
    colour = alt.Color("xi_c:Q", legend=legend).scale(
        type="log", domain=domain, range=HUES[phase], clamp=True
    )
    return _only(cells, phase, x, y).encode(color=colour)


def _plain(cells: alt.Chart, phase: str, x: alt.X, y: alt.Y) -> alt.Chart:
    return _only(cells, phase, x, y).mark_rect(color=GREYS[phase], clip=True)


def _only(cells: alt.Chart, phase: str, x: alt.X, y: alt.Y) -> alt.Chart:
    one = cells.transform_filter(alt.FieldEqualPredicate(field="phase", equal=phase))
    return one.encode(x=x, x2="w2", y=y, y2="b2", tooltip=_tooltip())


def _tooltip() -> list[alt.Tooltip]:
    numbers = {
        "weight": "σ_w²",
        "bias": "σ_b²",
        "q": "q*",
        "c": "c*",
        "chi_1": "χ₁",
        "xi_c": "ξ_c",
        "xi_q": "ξ_q",
    }
    found = [alt.Tooltip(f"{field}:Q", title=title, format=".3~g") for field, title in numbers.items()]
    return [alt.Tooltip("phase:N"), *found]


def _line(x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return the critical line with a light edge, to show on every colour; unstable parts are dashed."""
    both = alt.Chart(alt.NamedData("line")).encode(x=x, y=y, detail="part:N", order="order:Q")
    dash = alt.StrokeDash("stable:N", legend=None).scale(domain=[True, False], range=[[], [5, 4]])
    edge = both.mark_line(clip=True, color="white", strokeWidth=5, opacity=0.85, interpolate="monotone")
    core = both.mark_line(clip=True, color="#14171a", strokeWidth=2.2, interpolate="monotone")
    return [edge.encode(), core.encode(strokeDash=dash)]


def _labels(x: alt.X, y: alt.Y) -> alt.Chart:
    text = alt.Chart(alt.NamedData("labels")).mark_text(
        fontSize=13, fontWeight=600, color="#14171a", lineBreak="\n"
    )
    return text.encode(x=x, y=y, text="text:N")


def _cells(record: DiagramRecord) -> list[dict[str, Any]]:
    keys = ("q", "c", "chi_1", "xi_q", "xi_c")
    return [
        {
            "weight": _rounded(weight),
            "bias": _rounded(bias),
            "phase": record["phase"][i][j],
            **{key: _rounded(record[key][i][j]) for key in keys},
        }
        for i, bias in enumerate(record["bias_variances"])
        for j, weight in enumerate(record["weight_variances"])
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _path(line: LineRecord, record: DiagramRecord) -> list[dict[str, Any]]:
    """Return the line's points; where it gets stable or unstable a new part begins, at the same point."""
    (_, most), (_, top) = _ends(record["weight_variances"]), _ends(record["bias_variances"])
    seen = [point for point in line["points"] if point["q"] > _LEAST]
    points = [(point["weight_variance"], point["bias_variance"], _stable(point)) for point in seen]
    if points and max(bias for _, bias, _ in points) == 0:  # one point: all the line there is
        points = [(points[0][0], bias, True) for bias in (0.0, 0.04 * top)]
    rows, part = [], 0
    for i, (weight, bias, stable) in enumerate(points):
        if weight > 2 * most or bias > 2 * top:
            continue
        if rows and rows[-1]["stable"] != stable:
            rows.append({"w": weight, "b": bias, "stable": rows[-1]["stable"], "part": part, "order": i})
            part += 1
        rows.append({"w": weight, "b": bias, "stable": stable, "part": part, "order": i})
    return rows


def _stable(point: CriticalPointRecord) -> bool:
    return point["stability"] != "unstable"


def _places(record: DiagramRecord) -> list[dict[str, Any]]:
    """Return each phase's name and where there is most of it around."""
    found = []
    phases = record["phase"]
    for phase in ("ordered", "chaotic", *GREYS):
        cells = [(i, j) for i, row in enumerate(phases) for j, name in enumerate(row) if name == phase]
        if len(cells) < 0.04 * len(phases) * len(phases[0]):
            continue
        middle = [sum(values) / len(cells) for values in zip(*cells, strict=True)]
        i, j = min(cells, key=lambda cell: math.dist(cell, middle))
        weight, bias = record["weight_variances"][j], record["bias_variances"][i]
        found.append({"w": weight, "b": bias, "text": _WORDS.get(phase, phase)})
    return found


def _step(values: list[float]) -> float:
    return values[1] - values[0]


def _ends(values: list[float]) -> list[float]:
    half = _step(values) / 2
    return [max(values[0] - half, 0.0) if values[0] - half > -1e-9 else values[0] - half, values[-1] + half]
