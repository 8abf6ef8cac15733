"""The charts of a comparison's page, each with a heading and a sentence on how to read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import altair as alt

from fanin.report.comparison import charts, tables
from fanin.report.comparison.panels import BANDS
from fanin.report.comparison.scales import close_up, curve_axis
from fanin.report.look import PAGE
from fanin.report.numbers import percent, plain
from fanin.report.schema import ComparisonRecord

WIDEST = 30
"""With more schemes than this, a table of all pairs is no help, and its text no small part of the page."""


@dataclass(frozen=True)
class Panel:
    """A chart and its place, which holds its height while it is drawn; narrower than `width` it scrolls."""

    name: str
    title: str
    chart: alt.LayerChart
    width: int = 0

    @property
    def height(self) -> int:
        """Pixels of the drawing with its axis."""
        return int(self.chart.height) + 50


@dataclass(frozen=True)
class Section:
    """A heading, how to read what follows, the panels, and maybe a small table, folded away at first."""

    name: str
    heading: str
    caption: str
    panels: list[Panel]
    table: dict[str, Any] = field(default_factory=dict)
    close_up: bool = False
    folded: bool = False


def sections(record: ComparisonRecord) -> list[Section]:
    """Return the sections that the record has data for, in the order of the page."""
    makers = (_scores, _curves, _improvement, _time_to_target, _failures)
    return [section for make in makers if (section := make(record)).panels]


def _scores(record: ComparisonRecord) -> Section:
    caption = (
        "Each dot is a run, each shaded box the middle half of them; "
        "the ring is the interquartile mean on the bar of its 95 % interval."
    )
    if any(run["failed"] for run in record["runs"]):
        caption += " A cross is a run that failed."
    near = close_up(record) is not None
    if near:
        caption += " Schemes that lie outside the close-up are named at its edge."
    panel = Panel("scores", "", charts.scores(record, PAGE))
    return Section("scores", "Final scores", caption, [panel], close_up=near)


def _curves(record: ComparisonRecord) -> Section:
    metrics = list(dict.fromkeys(metric for bands in record["curves"].values() for metric in bands))
    first = record["score"]["metric"]
    metrics.sort(key=lambda metric: (metric != first, not metric.startswith("val_")))
    panels = []
    for place, metric in enumerate(metrics):
        title = plain(metric) + (", logarithmic" if curve_axis(record, metric) == "log" else "")
        panels.append(Panel(f"curves-{place}", title, charts.curves(record, metric, PAGE)))
    bands = ", with the band that holds the middle half of the runs."
    if len(record["ranking"]) > BANDS:
        bands = "; pick schemes above to see the bands that hold the middle half of their runs."
    caption = "Interquartile mean over the seeds after each epoch" + bands
    return Section("curves", "Learning curves", caption, panels)


def _improvement(record: ComparisonRecord) -> Section:
    caption = (
        "The probability that a run of the row's scheme scores better than a run of the column's, "
        "ties counted half; grey where the 95 % interval holds one half."
    )
    panels = []
    if record["improvement"]:
        width = 130 + 38 * len(record["ranking"])
        panels = [Panel("improvement", "", charts.improvement(record, PAGE), width)]
    table = _matrix(record) if 1 < len(record["ranking"]) <= WIDEST else {}
    return Section("improvement", "Probability of improvement", caption, panels, table, folded=True)


def _matrix(record: ComparisonRecord) -> dict[str, Any]:
    found = {(pair["a"], pair["b"]): pair["probability"] for pair in record["improvement"]}
    found |= {(b, a): 1 - probability for (a, b), probability in found.items() if (b, a) not in found}
    names = [row["scheme"] for row in record["ranking"]]
    rows = [[plain(a), *("" if a == b else percent(found.get((a, b))) for b in names)] for a in names]
    return {"heads": ["Better than", *map(plain, names)], "rows": rows}


def _time_to_target(record: ComparisonRecord) -> Section:
    caption = (
        f"The share of runs that have reached {tables.target_name(record)} by each epoch "
        "(Kaplan-Meier, 95 % bands); runs that never do, or fail, count as not reaching it."
    )
    lines = tables.waiting(record)
    tested = any(line.p for line in lines)
    heads = ["Scheme", "Reached", "Median", *(["Log-rank p"] if tested else [])]
    rows = [[line.scheme, line.reached, line.median, *([line.p] if tested else [])] for line in lines]
    panels = []
    if record["time_to_target"] and record["time_to_target"]["curves"]:
        panels = [Panel("time-to-target", "", charts.time_to_target(record, PAGE))]
    return Section("time-to-target", "Time to target", caption, panels, {"heads": heads, "rows": rows})


def _failures(record: ComparisonRecord) -> Section:
    rows = record["ranking"]
    count, runs = sum(row["failures"]["count"] for row in rows), sum(row["runs"] for row in rows)
    if count:
        said = f"{count:,} of {runs:,} runs diverged or gave a value that is not finite."
    else:
        top = max((row["failures"]["interval"][1] for row in rows), default=1.0)
        said = f"No run diverged; the data still allow a rate of up to {percent(top)}."
    caption = f"{said} The dot is the share of failed runs, the bar its 95 % Wilson interval."
    panels = [Panel("failures", "", charts.failures(record, PAGE))]
    return Section("failures", "Failures", caption, panels)
