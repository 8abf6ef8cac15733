"""The charts are drawn by Vega, as `plot().save("chart.png")` does, and read from the drawing."""

import json
import re
from xml.etree import ElementTree

import altair
import jsonschema
import pytest
import vl_convert

import records
from fanin.report.comparison import charts
from fanin.report.look import LIGHT, PAGE

RECORDS = {
    "first": records.comparison(4, 60, diverging={"he_normal": 0.25}),
    "lower": records.comparison(4, 30, metric="val_loss", diverging={"random_normal": 0.5}),
    "close": records.comparison(["glorot_normal", "he_normal"], 100),
    "many": records.comparison(14, 5),
    "one": records.comparison(1, 20, epochs=1),
    "empty": records.empty(),
}
VEGA = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def svg(chart):
    return vl_convert.vegalite_to_svg(chart.to_dict(validate=False), vl_version=VEGA)


def places(drawing, mark):
    """Return where the symbols of a layer stand."""
    marks = [
        group
        for group in ElementTree.fromstring(drawing).iter()
        if f"symbol role-mark {mark}" in group.get("class", "")
    ]
    moves = [symbol.get("transform") for group in marks for symbol in group]
    return [tuple(map(float, re.findall(r"-?[\d.]+(?:e-?\d+)?", move))) for move in moves]


@pytest.mark.parametrize("name", ["first", "one", "empty"])
def test_every_panel_is_vega_lite_and_carries_its_data(name):
    record, panels = RECORDS[name], [charts.overview, charts.scores, charts.improvement, charts.failures]
    for make in [*panels, charts.time_to_target]:
        spec = make(record).to_dict()  # which checks it against the schema
        assert spec["datasets"]["runs"], "no data to look up"
        assert json.loads(json.dumps(spec, allow_nan=False)) == spec
    page = charts.scores(record, PAGE).to_dict()
    assert "datasets" not in page, "a page holds the data once"


def test_the_schema_would_refuse_a_wrong_chart():
    chart = charts.scores(RECORDS["one"])
    chart.height = "tall"
    with pytest.raises(jsonschema.ValidationError):
        chart.to_dict()


@pytest.mark.parametrize("name", RECORDS)
def test_the_overview_is_drawn(name):
    drawing = svg(charts.overview(RECORDS[name]))
    for row in RECORDS[name]["ranking"]:
        assert drawing.count(f">{row['scheme']}</text>") == 2, "once at its row, once in the legend"
    assert "Learning curves: " in drawing


def test_the_overview_saves_itself_as_a_picture(tmp_path):
    charts.overview(RECORDS["one"]).save(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", RECORDS)
def test_every_run_is_drawn_once_and_none_hides_another(name):
    record, drawing = RECORDS[name], svg(charts.scores(RECORDS[name]))
    dots, crosses = places(drawing, "runs_marks"), places(drawing, "failed_marks")
    failed = sum(run["failed"] for run in record["runs"])
    assert (len(dots), len(crosses)) == (len(record["runs"]) - failed, failed)
    shown = [(round(x, 1), round(y, 1)) for x, y in dots + crosses]
    assert len(set(shown)) == len(shown)


def test_a_dot_stands_within_two_of_its_score_and_its_neighbours_apart():
    record = RECORDS["close"]
    dots = places(svg(charts.scores(record)), "runs_marks")
    for place, (x, y) in enumerate(dots):
        nearest = min(abs(x - a) + abs(y - b) for a, b in dots[:place] + dots[place + 1 :])
        assert nearest > 2
    scores = {round(run["score"], 6) for run in record["runs"]}
    low, high = min(scores), max(scores)
    centers = [12 + (560 - 24) * (score - low) / (high - low) for score in scores]
    assert all(min(abs(x - center) for center in centers) < 10 for x, _ in dots)


@pytest.mark.parametrize("name", ["first", "lower"])
def test_failed_runs_stand_at_the_bad_end(name):
    drawing = svg(charts.scores(RECORDS[name]))
    dots, crosses = places(drawing, "runs_marks"), places(drawing, "failed_marks")
    shown = [x for x, _ in dots if 0 <= x <= 560]
    if name == "first":
        assert max(x for x, _ in crosses) < min(shown)
    else:
        assert min(x for x, _ in crosses) > max(shown)


def test_schemes_beyond_the_close_up_are_named_with_their_score():
    assert ">← 0.505</text>" in svg(charts.scores(RECORDS["first"]))
    assert ">0.69 →</text>" in svg(charts.scores(RECORDS["lower"]))


def test_a_quantity_that_never_changes_has_an_axis_that_does():
    drawing = svg(charts.curves(records.comparison(["zeros"], 3, target=None), "val_accuracy"))
    labels = re.findall(r">([\d.]+)</text>", drawing)
    assert {"0.48", "0.50", "0.52"} <= set(labels)


def test_a_single_epoch_is_the_only_one_on_its_axis():
    drawing = svg(charts.curves(RECORDS["one"], "val_accuracy"))
    axis = drawing[drawing.index("role-axis-label") :]
    assert re.findall(r">(\d+)</text>", axis[: axis.index("</g>")]) == ["1"]


@pytest.mark.parametrize(("scale", "labels"), [(1.0, "0.80"), (1e7, "8e+6"), (1e-5, "8e-6")])
def test_axes_write_large_and_small_numbers_shortly(scale, labels):
    record = records.comparison(["he_normal", "glorot_normal"], 4, target=None)
    for bands in record["curves"].values():
        for key in ("center", "low", "high"):
            bands["val_accuracy"][key] = [value * scale for value in bands["val_accuracy"][key]]
    assert f">{labels}</text>" in svg(charts.curves(record, "val_accuracy"))


def test_the_matrix_never_rounds_to_certainty():
    record = records.comparison(["a", "b", "c"], 9)
    for pair, share in zip(record["improvement"], (0.999, 0.001, 1.0, 0.0, 0.25, 0.75), strict=True):
        pair["probability"] = share
    cells = re.findall(r">([^<>]*)</text>", svg(charts.improvement(record)))
    assert {"&gt;.99", "&lt;.01", "1", "0", ".25", ".75"} <= set(cells)


def test_a_scheme_keeps_its_colour_and_dash_in_every_panel():
    record = RECORDS["many"]
    domain = record["study"]["schemes"]
    for make in (charts.scores, charts.failures, charts.time_to_target, charts.overview):
        for scale in found(make(record).to_dict(), "scale"):
            if "range" in scale and scale.get("domain") == domain:
                assert scale["range"] in (LIGHT.colours_of(domain), LIGHT.dashes_of(domain))
                break
        else:
            pytest.fail("no scale over the schemes")


def found(spec, key):
    """Return every value under a key, however deep."""
    parts = spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else []
    inside = [value for part in parts for value in found(part, key)]
    return ([spec[key]] if isinstance(spec, dict) and key in spec else []) + inside
