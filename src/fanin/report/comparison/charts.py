"""A comparison's panels as Altair charts; every panel draws a scheme in the same colour and dash."""

from __future__ import annotations

from typing import TypeVar

import altair as alt

from fanin.report.comparison import panels, spread
from fanin.report.comparison.datasets import datasets
from fanin.report.look import LIGHT, WIDTH, Look, config
from fanin.report.schema import ComparisonRecord

Chart = TypeVar("Chart", alt.LayerChart, alt.VConcatChart)


def overview(record: ComparisonRecord) -> alt.VConcatChart:
    """Return the score of every run above the learning curves of the quantity that ranks them.

    Args:
        record: What a comparison says.

    Returns:
        A chart that carries its own data: show it, change it or save it.
    """
    metric = record["score"]["metric"]
    parts = [spread.scores(record, LIGHT).properties(title="Final scores", width=WIDTH)]
    if any(metric in curves for curves in record["curves"].values()):
        parts.append(
            panels.curves(record, metric, LIGHT).properties(title=f"Learning curves: {metric}", width=WIDTH)
        )
    # A legend of the panels together would be none: the scores have their names beside them.
    chart = alt.vconcat(*parts, spacing=28).resolve_scale(color="independent", strokeDash="independent")
    return _finish(chart, record, LIGHT)


def scores(record: ComparisonRecord, look: Look = LIGHT) -> alt.LayerChart:
    """Return each run's final score, its scheme's quartiles, and the interquartile mean with its interval."""
    return _finish(spread.scores(record, look), record, look)


def curves(record: ComparisonRecord, metric: str, look: Look = LIGHT) -> alt.LayerChart:
    """Return the learning curves of one logged quantity: interquartile means within quartile bands."""
    return _finish(panels.curves(record, metric, look), record, look)


def improvement(record: ComparisonRecord, look: Look = LIGHT) -> alt.LayerChart:
    """Return the matrix of the probability that a run of the row's scheme beats one of the column's."""
    return _finish(panels.improvement(record, look), record, look)


def time_to_target(record: ComparisonRecord, look: Look = LIGHT) -> alt.LayerChart:
    """Return the share of runs that have reached the target by each epoch, with its band."""
    return _finish(panels.time_to_target(record, look), record, look)


def failures(record: ComparisonRecord, look: Look = LIGHT) -> alt.LayerChart:
    """Return the share of runs that failed, with its Wilson interval."""
    return _finish(panels.failures(record, look), record, look)


def _finish(chart: Chart, record: ComparisonRecord, look: Look) -> Chart:
    """Add data, colours and fonts; a page has these once for all, and its script sets the switches."""
    if look.page:
        switches = [alt.param(name="picked", value=[]), alt.param(name="close", value=True)]
        return chart.add_params(*switches).properties(width="container")
    chart = chart.copy(deep=False) if isinstance(chart, alt.VConcatChart) else chart.properties(width=WIDTH)
    chart.config = alt.Config(**config(look))
    chart.datasets = alt.Datasets(**datasets(record))
    return chart
