"""Charts are drawn by Vega, and what is drawn is what the profiles say."""

import re

import altair
import pytest
import vl_convert

from fanin.report.profile import charts
from profiles import blocks, broken, layer, mlp, profile

VEGA = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def svg(chart):
    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=VEGA)


def test_every_layer_is_a_point_in_both_panels():
    rows = charts.datasets(mlp(5).to_dict())
    assert [row["name"] for row in rows["forward"]] == list(mlp(5))
    assert [row["value"] for row in rows["forward"]] == [
        float(f"{found.forward.q.value:.4g}") for found in mlp(5).layers
    ]
    drawing = svg(mlp(5).plot())
    for panel in ("forward", "backward"):
        assert charts.PANELS[panel] in drawing
    assert "Line: predicted" in drawing


def test_bands_are_two_deviations():
    row = charts.datasets(profile([layer("a", 2.0, share=0.1)]).to_dict())["forward"][0]
    assert row["high"] / row["value"] == pytest.approx(row["value"] / row["low"], rel=1e-3)
    assert row["high"] == pytest.approx(2 * 2.718281828 ** (2 * 0.1), rel=1e-3)


def test_what_was_measured_is_drawn_as_points():
    rows = charts.datasets(mlp(5).to_dict(), mlp(5, source="measured").to_dict())
    assert {row["role"] for row in rows["forward"]} == {"line", "point"}
    drawing = svg(mlp(5).compare(mlp(5, source="measured")).plot())
    assert "Points: measured." in drawing


def test_an_unknown_layer_is_a_gap():
    rows = charts.datasets(broken().to_dict())
    assert [row["value"] for row in rows["forward"]] == [1.0, None, None]
    assert rows["backward"] == []
    assert "Signal" in svg(broken().plot())


def test_long_models_are_drawn():
    assert len(re.findall("<path", svg(blocks(60).plot()))) > 60


@pytest.mark.parametrize("q", [1.0, 1e-30, 1e30])
def test_axes_hold_any_number(q):
    assert "Signal" in svg(profile([layer("a", q), layer("b", q)]).plot())


def test_nothing_to_draw_is_no_error():
    assert svg(profile([]).plot())
