import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import records
from fanin.report.comparison import intervals
from fanin.report.comparison.scales import axis_type, close_up, curve_axis, ends, extent, finite_scores

RECORDS = st.builds(
    records.comparison,
    st.integers(1, 6),
    st.integers(1, 30),
    epochs=st.integers(1, 12),
    diverging=st.fixed_dictionaries({}, optional={"zeros": st.floats(0, 1), "he_normal": st.floats(0, 1)}),
    metric=st.sampled_from(["val_accuracy", "val_loss"]),
)


@settings(deadline=None, max_examples=30)
@given(RECORDS)
def test_the_axis_holds_every_score_and_the_close_up_is_a_part_of_it(record):
    low, high = extent(record)
    assert low < high
    scores = [score for values in finite_scores(record).values() for score in values]
    assert all(low <= score <= high for score in scores)
    if near := close_up(record):
        assert low <= near[0] < near[1] <= high
        assert near[1] - near[0] < 0.5 * (high - low)
        leader = next(iter(finite_scores(record).values()))
        assert near[0] <= leader[0] <= leader[-1] <= near[1]


@settings(deadline=None, max_examples=30)
@given(RECORDS)
def test_the_intervals_of_the_table_lie_on_their_axis(record):
    ends = intervals.axis(record)
    spans = [intervals.span(row, ends) for row in record["ranking"]]
    assert [span is None for span in spans] == [row["iqm"] is None for row in record["ranking"]]
    for span in filter(None, spans):
        assert 0 <= span.low <= span.center <= span.high <= 100
    known = [row["iqm"] for row in record["ranking"] if row["iqm"] is not None]
    if known:
        assert spans[0].off == "", "the best is always on it"
        places = [span.center for span in spans if span and not span.off]
        assert places == sorted(places, reverse=record["score"]["direction"] == "max")


def test_a_scheme_far_behind_is_left_to_the_whole_range():
    record = records.comparison(4, 50)
    assert record["ranking"][-1]["scheme"] == "zeros"
    near = close_up(record)
    assert near[0] > 0.8
    assert extent(record)[0] == pytest.approx(0.505)
    off = [intervals.span(row, intervals.axis(record)).off for row in record["ranking"]]
    assert off == ["", "", "", "left"]


def test_schemes_near_one_another_need_no_close_up():
    assert close_up(records.comparison(["he_normal", "glorot_normal", "random_normal"], 50)) is None


def test_nothing_finite_leaves_the_unit_axis():
    assert extent(records.empty()) == (0.0, 1.0)
    assert intervals.axis(records.empty()) == (0.0, 1.0)


@given(st.lists(st.floats(1e-6, 1e6), min_size=1))
def test_the_axis_is_logarithmic_where_the_small_would_not_be_seen(values):
    assert axis_type([*values, None]) == ("log" if max(values) > 30 * min(values) else "linear")
    assert axis_type([*values, 0.0]) == axis_type([*values, -1.0]) == "linear"


def test_a_loss_that_falls_a_thousandfold_is_drawn_logarithmic():
    record = records.comparison(2, 4)
    record["curves"]["zeros"]["loss"]["low"][-1] = 1e-4
    assert (curve_axis(record, "loss"), curve_axis(record, "val_loss")) == ("log", "linear")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_ends_have_room_between_them(values):
    low, high = ends(values)
    assert low < high
    assert low <= min(values) <= max(values) <= high
