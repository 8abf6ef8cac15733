import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import records
from fanin.report.comparison import tables

FIRST = records.comparison(4, 100)


def test_the_ranking_reads_back_as_the_record():
    lines = tables.ranking(FIRST)
    assert [line.scheme for line in lines] == [row["scheme"] for row in FIRST["ranking"]]
    for line, row in zip(lines, FIRST["ranking"], strict=True):
        assert float(line.iqm) == pytest.approx(row["iqm"], abs=5.1e-5)
        low, high = map(float, line.interval.strip("[]").split(", "))
        assert [low, high] == pytest.approx(row["interval"], abs=5.1e-5)
        mean, sd = map(float, line.spread.split(" ± "))
        assert [mean, sd] == pytest.approx([row["mean"], row["sd"]], abs=5.1e-4)
        assert line.failed == f"{row['failures']['count']}/{row['runs']}"


def test_the_control_has_no_effect_of_its_own():
    line = next(line for line in tables.ranking(FIRST) if line.scheme == FIRST["control"])
    assert (line.effect, line.p) == ("control", "")


def test_without_a_control_nothing_is_said_of_effects():
    caption = tables.ranking_caption(records.comparison(2, 20, control=False))
    assert "Effect" not in caption
    assert "p-value" not in caption
    assert "paired difference from glorot_normal" in tables.ranking_caption(FIRST)
    assert "p-value is adjusted" in tables.ranking_caption(FIRST)


@pytest.mark.parametrize("seeds", [3, 7])
def test_too_few_seeds_print_no_p_value(seeds):
    record = records.comparison(4, seeds)
    for row in record["ranking"]:
        if row["effect"]:
            row["effect"]["p_adjusted"] = 0.01
    assert {line.p for line in tables.ranking(record)} == {""}
    assert {line.p for line in tables.waiting(record)} == {""}
    assert "p-value" not in tables.ranking_caption(record)


def test_missing_numbers_are_dashes():
    lines = tables.ranking(records.empty())
    assert {(line.iqm, line.interval, line.spread) for line in lines} == {("–", "–", "–")}
    assert {values for _, values in (each[1][0] for each in tables.finals(records.empty()))} == {"–"}


def test_final_metrics_are_those_on_held_out_data_the_loss_first():
    assert tables.final_metrics(FIRST) == ["val_loss", "val_accuracy"]
    for row in (record := records.comparison(2, 5))["ranking"]:
        row["final"] = {"accuracy": 0.9, "loss": 0.2}
    assert tables.final_metrics(record) == ["loss", "accuracy"]
    assert tables.finals(record)[0][1] == [("Train Loss", "0.2000"), ("Train Accuracy", "0.9000")]


def test_a_target_reads_as_a_condition():
    assert tables.target_name(FIRST) == "val_loss ≤ 0.3"
    higher = FIRST | {"time_to_target": FIRST["time_to_target"] | {"metric": "accuracy", "direction": "max"}}
    assert tables.target_name(higher) == "accuracy ≥ 0.3"
    assert tables.target_name(nothing := records.comparison(2, 9, target=None)) == ""
    assert tables.waiting(nothing) == []


def test_the_time_to_target_follows_the_ranking():
    lines = tables.waiting(FIRST)
    assert [line.scheme for line in lines] == [row["scheme"] for row in FIRST["ranking"]]
    assert lines[-1] == tables.Waiting("zeros", "0/100", "not reached", ".100")


def test_colours_follow_the_users_order_whatever_the_ranking():
    assert tables.schemes(FIRST) == records.SEED_STUDY
    assert tables.schemes(FIRST) != [row["scheme"] for row in FIRST["ranking"]]
    unknown = FIRST | {"study": FIRST["study"] | {"schemes": ["he_normal", "absent"]}}
    assert tables.schemes(unknown)[0] == "he_normal"
    assert sorted(tables.schemes(unknown)) == sorted(records.SEED_STUDY)


@pytest.mark.parametrize(
    ("trained", "reused", "said"),
    [
        (400, 0, "400 runs trained in 2.0 s (200 runs/s)."),
        (100, 300, "100 runs trained in 2.0 s (50.0 runs/s), 300 reused from the store."),
        (0, 1400, "No run trained, 1,400 reused from the store."),
    ],
)
def test_the_cost(trained, reused, said):
    assert tables.speed({"speed": {"trained": trained, "reused": reused, "seconds": 2.0}}) == said


def test_the_size_counts_in_words():
    assert tables.size(FIRST) == "4 schemes × 100 seeds × 10 epochs"
    assert tables.size(records.comparison(1, 1, epochs=1)) == "1 scheme × 1 seed × 1 epoch"


@settings(deadline=None, max_examples=25)
@given(st.text(min_size=1))
def test_no_name_carries_a_control_character(name):
    record = records.comparison([name, "zeros"], 3)
    shown = [line.scheme for line in tables.ranking(record)] + [
        line.scheme for line in tables.waiting(record)
    ]
    assert all(text.isprintable() for text in [*shown, tables.ranking_caption(record)])
