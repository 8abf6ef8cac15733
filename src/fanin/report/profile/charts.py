"""Second moments and correlations along the depth of a model, as charts."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from fanin.report import axes
from fanin.report.look import LIGHT, WIDTH, Look, config
from fanin.report.numbers import plain
from fanin.report.profile import depth
from fanin.report.profile.record import EstimateRecord, LayerRecord, ProfileRecord
from fanin.report.profile.rows import sigma

HEIGHT = 240
PANELS = {
    "forward": "Signal: E[x²] of each layer's outputs",
    "backward": "Gradient: E[g²] with respect to them",
    "correlation": "Correlation of two inputs: c",
}
_SIGMAS = 2.0


def chart(profile: ProfileRecord, other: ProfileRecord | None = None, look: Look = LIGHT) -> alt.VConcatChart:
    """Return the signal and the gradient along the depth, on logarithmic axes.

    Args:
        profile: Drawn as a line in a band of two standard deviations.
        other: Drawn as points.
        look: Colours.

    Returns:
        A chart that carries its own data: show it, change it or save it.
    """
    rows = datasets(profile, other)
    panels = [panel(name, rows, look) for name in ("forward", "backward") if rows[name]]
    made = alt.vconcat(*panels, spacing=28)
    made.config = alt.Config(**config(look))
    made.datasets = alt.Datasets(**rows)
    made.title = alt.Title(plain(profile["model"]), subtitle=legend(profile, other))
    return made


def legend(profile: ProfileRecord, other: ProfileRecord | None) -> str:
    """Return what lines, bands and points are."""
    line = f"Line: {profile['source']}, with a band of two standard deviations of one network."
    return line if other is None else f"{line} Points: {other['source']}."


def panel(name: str, rows: dict[str, list[dict[str, Any]]], look: Look) -> alt.LayerChart:
    """Return one chart along the depth.

    Args:
        name: "forward", "backward" or "correlation".
        rows: From `datasets`.
        look: Colours.
    """
    count = len({row["place"] for row in rows[name]})
    x, y = axes.layers(), _linear(rows[name]) if name == "correlation" else _logarithmic(rows[name])
    data = alt.Chart(alt.NamedData(name))
    lines, points = (
        data.transform_filter(alt.FieldEqualPredicate(field="role", equal=role)) for role in ("line", "point")
    )
    colour = alt.Color("way:N", legend=None).scale(
        domain=["forward", "backward"], range=[look.colours[0], look.colours[1]]
    )
    stroke = {"interpolate": "linear", "clip": True}
    layers: list[Any] = [
        lines.mark_area(opacity=0.16, **stroke)
        .encode(x=x, y=y.copy(deep=True), y2="high:Q", color=colour)
        .transform_calculate(value="datum.low"),
        lines.mark_line(strokeWidth=1.8, **stroke).encode(x=x, y=y, color=colour),
        lines.mark_point(size=18, filled=True, opacity=1).encode(x=x, y=y, color=colour, tooltip=_tooltip()),
    ]
    if any(row["role"] == "point" for row in rows[name]):
        layers += [
            points.mark_rule(strokeWidth=1.2, color=look.ink).encode(x=x, y="low:Q", y2="high:Q"),
            points.mark_point(size=34, strokeWidth=1.5, color=look.ink, fill=look.paper, opacity=1).encode(
                x=x, y=y, tooltip=_tooltip()
            ),
        ]
    width: Any = "container" if look.page else max(WIDTH, min(14 * count, 1000))
    return alt.LayerChart(layer=layers, width=width, height=HEIGHT, title=PANELS[name])


def _logarithmic(rows: list[dict[str, Any]]) -> alt.Y:
    return axes.logarithmic(*axes.decades(row[end] for row in rows for end in ("low", "high")))


def _linear(rows: list[dict[str, Any]]) -> alt.Y:
    least = min((row["low"] for row in rows if row["low"] is not None), default=0.0)
    scale = alt.Scale(domain=[-0.2 if least < -0.05 else 0, 1], nice=False, clamp=True)
    return alt.Y("value:Q", title=None, scale=scale).axis(format=".1~f", tickCount=5)


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("name:N", title="layer"),
        alt.Tooltip("type:N"),
        alt.Tooltip("value:Q", format=".3~g"),
        alt.Tooltip("low:Q", title="from", format=".3~g"),
        alt.Tooltip("high:Q", title="to", format=".3~g"),
        alt.Tooltip("source:N"),
    ]


def datasets(profile: ProfileRecord, other: ProfileRecord | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return what the charts are drawn from, by the name of the panel.

    Args:
        profile: Drawn as lines.
        other: Drawn as points.
    """
    layers = depth.shown(profile)
    beside = {} if other is None else {layer["name"]: layer for layer in other["layers"]}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in PANELS}
    for place, layer in enumerate(layers):
        drawn = [("line", layer, profile["source"])]
        if layer["name"] in beside:
            drawn.append(("point", beside[layer["name"]], other["source"] if other else ""))
        for role, one, source in drawn:
            told = {"name": plain(layer["name"]), "type": plain(layer["type"]), "place": place}
            for name, row in _rows(one):
                rows[name].append({**told, "role": role, "source": source, **row})
    known = {name: any(row["value"] is not None for row in found) for name, found in rows.items()}
    return {name: found if known[name] else [] for name, found in rows.items()}


def _rows(layer: LayerRecord) -> list[tuple[str, dict[str, Any]]]:
    forward, backward = layer["forward"], layer["backward"]
    found = [
        ("forward", "forward", forward and forward["q"], True),
        ("backward", "backward", backward and backward["q"], True),
        ("correlation", "forward", forward and forward["c"], False),
        ("correlation", "backward", backward and backward["c"], False),
    ]
    return [
        (name, {"way": way, **_ends(estimate, logarithmic)}) for name, way, estimate, logarithmic in found
    ]


def _ends(estimate: EstimateRecord | None, logarithmic: bool) -> dict[str, float | None]:
    value = None if estimate is None else estimate["value"]
    if estimate is None or value is None or (logarithmic and value <= 0):
        return {"value": None, "low": None, "high": None}
    apart = _SIGMAS * sigma(estimate)
    if not logarithmic:
        return {"value": _short(value), "low": _short(value - apart), "high": _short(value + apart)}
    factor = math.exp(min(apart / value, 5.0))
    return {"value": _short(value), "low": _short(value / factor), "high": _short(value * factor)}


def _short(value: float) -> float:
    return float(f"{value:.4g}")
