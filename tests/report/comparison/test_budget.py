import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import records
from fanin.report.comparison.budget import every, fit, length, rounded
from fanin.report.comparison.datasets import both_ways

SIZES = st.builds(records.comparison, st.integers(1, 5), st.integers(1, 24), epochs=st.integers(1, 30))


def without_runs(record):
    """Return the least that a page must hold: no run, a point a curve, each pair once."""
    last = {
        name: {metric: {key: values[-1:] for key, values in band.items()} for metric, band in bands.items()}
        for name, bands in record["curves"].items()
    }
    pairs = record["improvement"][: len(record["improvement"]) // 2]
    return rounded(record | {"runs": [], "curves": last, "improvement": pairs})


@settings(deadline=None, max_examples=40)
@given(SIZES, st.floats(0, 1))
def test_it_fits_whatever_the_room_and_no_statistic_changes(record, share):
    before = copy.deepcopy(record)
    least, all_of_it = length(without_runs(record)), length(rounded(record))
    room = round(2 * least + share * (all_of_it - least))
    fitted = fit(record, room)
    assert record == before, "the record itself is left alone"
    assert length(fitted.record) <= room
    for part in record.keys() - {"runs", "curves", "improvement"}:
        assert fitted.record[part] == rounded(record[part]), part


@settings(deadline=None, max_examples=20)
@given(SIZES, st.integers(3_000, 100_000))
def test_what_is_left_is_a_part_of_what_there_was(record, room):
    kept = fit(record, room)
    runs = {(run["scheme"], run["seed"]): run for run in rounded(record["runs"])}
    for run in kept.record["runs"]:
        whole = runs[run["scheme"], run["seed"]]
        assert run | {"curves": {}} == whole | {"curves": {}}
        for metric, values in run["curves"].items():
            assert values == [whole["curves"][metric][epoch - 1] for epoch in kept.epochs]
    for name, bands in kept.record["curves"].items():
        for metric, band in bands.items():
            whole = rounded(record["curves"][name][metric])
            points = [whole["epoch"].index(epoch) for epoch in band["epoch"]]
            assert band == {key: [values[point] for point in points] for key, values in whole.items()}
            assert band["epoch"][-1] == whole["epoch"][-1], "the last epoch stays"


@settings(deadline=None, max_examples=20)
@given(SIZES, st.integers(3_000, 100_000))
def test_pairs_left_out_come_back_as_their_reverse(record, room):
    found = {(pair["a"], pair["b"]): pair for pair in both_ways(fit(record, room).record["improvement"])}
    assert len(found) == len(record["improvement"])
    for pair in record["improvement"]:
        assert found[pair["a"], pair["b"]]["probability"] == pytest.approx(pair["probability"], abs=1e-5)
        assert found[pair["a"], pair["b"]]["interval"] == pytest.approx(pair["interval"], abs=1e-5)


def test_what_fits_is_whole():
    record = records.comparison(3, 5)
    fitted = fit(record)
    assert (fitted.record, fitted.epochs, fitted.left_out) == (rounded(record), list(range(1, 11)), [])


def test_points_go_before_epochs_before_runs_and_it_is_said():
    record = records.comparison(4, 60, epochs=30)
    said = [" ".join(fit(record, room).left_out) for room in (200_000, 50_000, 30_000)]
    assert said[0] == "Of the learning curves of single runs, the download has only every 2nd epoch."
    assert "no epoch but the last" in said[1]
    assert "One run in" not in said[1]
    assert "One run in" in said[2]


def test_no_drawn_curve_has_more_points_than_a_screen_resolves():
    fitted = fit(records.comparison(1, 2, epochs=1000))
    assert len(fitted.record["curves"]["zeros"]["loss"]["epoch"]) == 200
    assert fitted.left_out == ["The drawn curves have every 5th epoch."]
    assert len(fitted.epochs) == 1000, "there is room for those of the runs"


@given(st.lists(st.integers(), min_size=1), st.integers(1, 20))
def test_thinning_keeps_the_last_and_about_its_share(values, stride):
    kept = every(values, stride)
    assert kept[-1] == values[-1]
    assert len(kept) == -(-len(values) // stride)


@given(st.floats())
def test_rounding_shows_six_digits_or_nothing(value):
    shown = rounded([value])[0]
    if value != value or abs(value) == float("inf"):
        assert shown is None
    else:
        assert shown == pytest.approx(value, rel=5.1e-6, abs=0)
        assert shown == float(f"{shown:.6g}")
