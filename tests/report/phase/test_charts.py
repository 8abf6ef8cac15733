"""Phase diagrams and maps are drawn by Vega, and what is drawn is what the data say."""

import re

import altair
import pytest
import vl_convert

from fanin import mean_field, phase_diagram
from fanin.report.look import PAGE
from fanin.report.phase import diagram, html, maps

VEGA = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
TANH = phase_diagram("tanh")


def svg(chart):
    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=VEGA)


def test_a_diagram_names_its_phases_and_draws_every_cell_once():
    drawing = svg(TANH.plot())
    for words in ("ordered", "chaotic", "Line: critical.", "σ_w²: variance of the weights × fan-in"):
        assert f">{words}</text>" in drawing
    cells = re.findall(r"phase: (\w+);", drawing) or re.findall(r'aria-roledescription="rect mark"', drawing)
    assert len(cells) == TANH.phase.size


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sign", "Where f jumps inputs part at once, however close they are."),
        ("softplus", "No critical line: inputs never keep their distance."),
        ("gelu", "Line: critical; dashed where the variance does not rest there."),
    ],
)
def test_what_the_line_is_is_said(name, words):
    assert f">{words}</text>" in svg(phase_diagram(name).plot())


def test_an_unstable_line_is_dashed_and_unbroken():
    rows = diagram.datasets(phase_diagram("gelu").to_dict())["line"]
    parts = {row["part"]: row["stable"] for row in rows}
    assert parts == {0: False, 1: True}
    ends = [[(row["w"], row["b"]) for row in rows if row["part"] == part] for part in parts]
    assert ends[0][-1] == ends[1][0]


def test_maps_show_their_fixed_points():
    rows = maps.datasets(mean_field("tanh", 2.0, 0.05).to_dict())
    assert [point["stable"] for point in rows["variance_points"]] == [True]
    assert [(round(point["x"], 3), point["stable"]) for point in rows["correlation_points"]] == [
        (1.0, False),
        (0.744, True),
    ]
    drawing = svg(mean_field("tanh", 2.0, 0.05).plot())
    assert "What a layer makes of the variance" in drawing
    assert "What a layer makes of the correlation" in drawing
    assert "correlation of" not in svg(mean_field("relu", 3.0).plot())


def test_a_page_is_small_and_holds_its_data_once():
    assert "datasets" not in diagram.chart(TANH.to_dict(), PAGE).to_dict()
    assert len(html.diagram_page(TANH.to_dict())) < 2_000_000


def test_a_browser_draws_the_pages(visit):
    for content, words, lines in [
        (html.diagram_page(TANH.to_dict()), "ordered", 2),
        (html.mean_field_page(mean_field("tanh", 2.0, 0.05).to_dict()), "correlation c", 4),
    ]:
        with visit(content) as page:
            page.wait_for_selector("[data-chart] svg")
            assert words in page.inner_text("[data-chart]")
            assert page.locator("[data-chart] .mark-line path").count() == lines


def test_names_are_escaped():
    def bent(x):
        return max(x, 0.0)

    bent.__name__ = "<b>bent"
    found = mean_field(bent, 2.0)
    for content in (found._repr_html_(), html.mean_field_page(found.to_dict())):
        assert "<b>bent" not in content
