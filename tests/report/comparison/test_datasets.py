import pytest

import records
from fanin.report.comparison.datasets import both_ways, datasets


def test_rows_hold_what_the_record_does():
    record = records.comparison(3, 6, epochs=4)
    rows = datasets(record)
    assert len(rows["runs"]) == 18
    assert rows["runs"][5] == {key: record["runs"][5][key] for key in ("scheme", "seed", "score", "failed")}
    assert {(row["scheme"], row["metric"]) for row in rows["curves"]} == {
        (name, metric) for name in record["study"]["schemes"] for metric in records.METRICS
    }
    assert [row["scheme"] for row in rows["survival"]] == record["study"]["schemes"]
    assert rows["ranking"] == record["ranking"]


def test_without_a_target_there_is_nothing_to_wait_for():
    assert datasets(records.comparison(2, 3, target=None))["survival"] == []


def test_a_missing_reverse_is_one_minus_the_pair():
    record = records.comparison(3, 20)
    half = [pair for pair in record["improvement"] if pair["a"] < pair["b"]]
    found = {(pair["a"], pair["b"]): pair for pair in both_ways(half)}
    assert len(found) == 6
    for pair in record["improvement"]:
        assert found[pair["a"], pair["b"]]["probability"] == pytest.approx(pair["probability"])
        assert found[pair["a"], pair["b"]]["interval"] == pytest.approx(pair["interval"])


def test_a_pair_without_an_interval_has_a_reverse_without_one():
    pair = {"a": "x", "b": "y", "probability": 0.25, "interval": None}
    assert both_ways([pair])[1] == {"a": "y", "b": "x", "probability": 0.75, "interval": None}
