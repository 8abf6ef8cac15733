import json
import math

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.experiments.question import Target
from finished import compared

NAN = math.nan
SCORES = {"zeros": [0.5] * 8, "he": [NAN, *(0.9 + 0.01 * np.arange(7))]}


@pytest.fixture(scope="module")
def result():
    return compared(SCORES, control="zeros", target=Target("val_accuracy", 0.8, "max"))


def test_scores_are_as_they_were_logged_one_a_seed(result):
    assert list(result.scores) == ["zeros", "he"]
    np.testing.assert_equal(result.scores["he"], SCORES["he"])
    assert result.failed["he"].tolist() == [True, *[False] * 7]


def test_curves_are_seed_by_epoch(result):
    np.testing.assert_equal(result.curves["he"], [[0.5, score] for score in SCORES["he"]])
    np.testing.assert_equal(result.curve("zeros", "loss"), [[0.7, 0.3]] * 8)


def test_the_probability_of_improvement_is_of_paired_seeds(result):
    assert result.probability_of_improvement("he", "zeros") == 7 / 8
    assert result.probability_of_improvement("zeros", "he") == 1 / 8
    low, high = result.improvement("he", "zeros")["interval"]
    assert (low, high) == (pytest.approx(0.4735, abs=1e-4), pytest.approx(0.9968, abs=1e-4))


def test_it_hands_on_what_the_record_says(result):
    record = result.to_dict()
    assert result.verdict == record["verdict"]
    assert list(result.notes) == record["notes"]
    assert result.time_to_target == record["time_to_target"]
    assert result.time_to_target["logrank"]["he"] < 0.05
    assert result.study == {"epochs": 2}
    assert [row.scheme for row in result.ranking] == ["he", "zeros"]
    assert repr(result) == f"<Comparison: {result.verdict}>"


def test_without_a_target_there_is_no_time_to_it():
    assert compared({"he": [1.0]}).time_to_target is None


def test_changing_the_returned_dict_does_not_change_its_keys(result):
    result.to_dict().clear()
    assert result.to_dict()["verdict"] == result.verdict


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda result: result.curve("hee", "loss"), "'hee' was not compared"),
        (lambda result: result.curve("he", "los"), "'los' was not logged"),
        (lambda result: result.probability_of_improvement("he", "lecun"), "'lecun' was not compared"),
        (lambda result: result.probability_of_improvement("he", "he"), "compared with itself"),
    ],
)
def test_what_does_not_exist_is_an_error(result, ask, message):
    with pytest.raises(FaninError, match=message):
        ask(result)


def test_a_near_name_is_suggested(result):
    with pytest.raises(FaninError) as error:
        result.improvement("zero", "he")
    assert "zeros" in error.value.fix


def test_it_saves_itself(result, tmp_path):
    saved = result.save(tmp_path / "result.json")
    assert json.loads(saved.read_text(encoding="utf-8")) == result.to_dict() == json.loads(result.to_json())
    page = result.to_html(str(tmp_path / "report.html")).read_text(encoding="utf-8")
    assert result.verdict in page
    assert page.lstrip().lower().startswith("<!doctype html>")


@pytest.mark.parametrize("write", ["save", "to_html"])
def test_a_file_that_cannot_be_written_is_an_error_without_a_traceback(result, tmp_path, write):
    with pytest.raises(FaninError, match="cannot be written"):
        getattr(result, write)(tmp_path / "no such folder" / "file")


def test_it_prints_in_80_columns(result):
    lines = str(result).splitlines()
    assert max(map(len, lines)) <= 80
    assert "he trains this model best" in " ".join(" ".join(lines).split())


def test_it_shows_and_draws_itself(result):
    assert result.verdict in result._repr_html_().replace("\xa0", " ")
    drawn = json.dumps(result.plot().to_dict())
    assert all(scheme in drawn for scheme in SCORES)
