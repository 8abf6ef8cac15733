"""Both maps of a layer as a chart: what becomes of a variance, and of a correlation."""

from __future__ import annotations

from typing import Any

import altair as alt

from fanin.report.look import LIGHT, Look, config
from fanin.report.phase.record import CurveRecord, MeanFieldRecord

SIZE = 260


def chart(record: MeanFieldRecord, look: Look = LIGHT) -> alt.HConcatChart:
    """Return the variance map beside the correlation map, each with the diagonal and its fixed points.

    Args:
        record: What mean field theory says.
        look: Colours.

    Returns:
        A chart that carries its own data unless it is a page's.
    """
    top = max(record["variance_map"]["x"])
    panels = [_panel("variance", "variance q", [0.0, top], look)]
    if record["correlation_map"]:
        panels.append(_panel("correlation", "correlation c", [-1.0, 1.0], look))
    made = alt.hconcat(*panels, spacing=36)
    if not look.page:
        made.config = alt.Config(**config(look))
        made.datasets = alt.Datasets(**datasets(record))
    return made


def datasets(record: MeanFieldRecord) -> dict[str, list[dict[str, Any]]]:
    """Return what the chart is drawn from."""
    top = max(record["variance_map"]["x"])
    found = {
        "variance": _rows(record["variance_map"], top),
        "variance_diagonal": [{"x": end, "y": end} for end in (0.0, top)],
        "variance_points": [
            {
                "x": point["q"],
                "y": point["q"],
                "stable": point["stability"] == "stable",
                "slope": point["slope"],
            }
            for point in record["fixed_points"]
            if point["q"] <= top
        ],
    }
    if record["correlation_map"]:
        found["correlation"] = _rows(record["correlation_map"], 1.0)
        found["correlation_diagonal"] = [{"x": end, "y": end} for end in (-1.0, 1.0)]
        found["correlation_points"] = _correlation_points(record)
    return found


def _correlation_points(record: MeanFieldRecord) -> list[dict[str, Any]]:
    points = [{"x": 1.0, "y": 1.0, "stable": record["phase"] != "chaotic", "slope": record["chi_1"]}]
    if record["c"] is not None and record["c"] < 1:
        points.append({"x": record["c"], "y": record["c"], "stable": True, "slope": record["chi_c"]})
    return points


def _rows(curve: CurveRecord, top: float) -> list[dict[str, Any]]:
    pairs = zip(curve["x"], curve["y"], strict=True)
    return [{"x": x, "y": y} for x, y in pairs if y is not None and y <= 1.5 * top]


def _panel(name: str, title: str, ends: list[float], look: Look) -> alt.LayerChart:
    scale = alt.Scale(domain=ends, nice=False)
    x = alt.X("x:Q", title=title, scale=scale).axis(grid=False, tickCount=5)
    y = alt.Y("y:Q", title=f"{title} a layer on", scale=scale).axis(tickCount=5)
    same = alt.Chart(alt.NamedData(f"{name}_diagonal"))
    diagonal = same.mark_line(color=look.muted, strokeDash=[3, 3], strokeWidth=1).encode(x=x, y=y)
    line = alt.Chart(alt.NamedData(name)).mark_line(color=look.colours[0], strokeWidth=2.4, clip=True)
    dots = alt.Chart(alt.NamedData(f"{name}_points")).mark_point(
        size=80, strokeWidth=2, opacity=1, clip=False
    )
    filled = alt.condition("datum.stable", alt.value(look.ink), alt.value(look.paper))
    dots = dots.encode(
        x=x,
        y=y,
        fill=filled,
        stroke=alt.value(look.ink),
        tooltip=[alt.Tooltip("x:Q", title="stays at", format=".4~g"), alt.Tooltip("slope:Q", format=".4~g")],
    )
    title = f"What a layer makes of the {title[:-2]}"
    return alt.LayerChart(layer=[diagonal, line.encode(x=x, y=y), dots], width=SIZE, height=SIZE, title=title)
