import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.experiments.comparing import plain
from fanin.experiments.comparison import compare_runs
from fanin.experiments.question import Target
from fanin.frameworks.training import Run
from fanin.report.schema import COMPARISON_SCHEMA, ComparisonRecord
from finished import compared, question, runs

NAN, INF = math.nan, math.inf
RNG = np.random.default_rng(0)
SCORES = {
    "zeros": [0.5] * 12,
    "he": [NAN, *(0.9 + 0.02 * RNG.normal(size=11))],
    "glorot": 0.91 + 0.02 * RNG.normal(size=12),
}
studies = st.lists(
    st.lists(st.integers(0, 9).map(float) | st.just(NAN), min_size=8, max_size=8), min_size=2, max_size=3
).map(lambda values: {f"s{place}": own for place, own in enumerate(values)})
FEW = settings(max_examples=25)


def by_scheme(record):
    """Return what must not depend on the order of schemes or seeds."""
    rows = {row["scheme"]: row | {"rank": None} for row in record["ranking"]}
    pairs = {
        (pair["a"], pair["b"]): (pair["probability"], pair["interval"]) for pair in record["improvement"]
    }
    return rows, pairs, record["curves"], record["time_to_target"]


def test_the_record_is_whole_and_is_json():
    record = compared(SCORES, control="zeros", target=Target("val_accuracy", 0.8, "max")).to_dict()
    assert set(record) == set(ComparisonRecord.__annotations__)
    assert record["schema"] == COMPARISON_SCHEMA
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_no_run_is_dropped():
    record = compared(SCORES).to_dict()
    assert len(record["runs"]) == 36
    (lost,) = [run for run in record["runs"] if run["failed"]]
    assert (lost["scheme"], lost["seed"], lost["score"]) == ("he", 0, None)
    assert lost["curves"]["loss"] == [0.7, None]
    assert record["notes"] == [
        "1 of 36 runs failed (he 1): the loss diverged or was not finite. None is left out: a failed run "
        "ranks below all others, and schemes with one have no mean."
    ]


def test_pairs_are_the_common_seeds_and_a_note_says_so():
    short = {**SCORES, "glorot": SCORES["glorot"][:9]}
    record = compared(short, control="zeros").to_dict()
    paired = compared({scheme: own[:9] for scheme, own in SCORES.items()}, control="zeros").to_dict()
    assert record["improvement"] == paired["improvement"]
    assert "Paired comparisons use the 9 of 12 seeds run with every scheme." in record["notes"]
    assert {row["scheme"]: row["runs"] for row in record["ranking"]} == {"zeros": 12, "he": 12, "glorot": 9}


def test_schemes_without_a_common_seed_cannot_be_compared():
    apart = [Run("a", 0, {"loss": (1.0,)}), Run("b", 1, {"loss": (1.0,)})]
    asked = question({"a": [0, 0], "b": [0, 0]}, metric="loss", direction="min")
    with pytest.raises(FaninError, match="No seed was run with every scheme"):
        compare_runs(
            apart, asked, study={}, environment={}, speed={"trained": 2, "reused": 0, "seconds": 0.0}
        )


@pytest.mark.parametrize(("seeds", "exploratory"), [(7, True), (8, False)])
def test_eight_seeds_are_enough_to_test(seeds, exploratory):
    some = {scheme: own[:seeds] for scheme, own in SCORES.items()}
    record = compared(some, control="zeros", target=Target("val_accuracy", 0.8, "max")).to_dict()
    assert record["exploratory"] == exploratory
    tests = [row["effect"]["p_adjusted"] for row in record["ranking"] if row["effect"]]
    tests += [record["time_to_target"]["logrank"][scheme] for scheme in ("he", "glorot")]
    assert [p is None for p in tests] == [exploratory] * 4


def test_a_band_knows_the_way_of_what_is_asked_and_of_well_known_names():
    curves = compared({"he": [1.0, 2.0, 3.0, NAN]}, metric="mine", direction="min").to_dict()["curves"]["he"]
    assert curves["mine"] == {"epoch": [1, 2], "center": [0.5, 2.5], "low": [0.5, 1.0], "high": [0.5, None]}
    assert curves["loss"]["high"] == [0.7, None]
    assert curves["loss"]["center"] == [pytest.approx(0.7), pytest.approx(0.3)]


def test_a_band_whose_way_is_unknown_says_nothing_where_a_value_was_lost():
    finished = [Run("he", seed, {"loss": (0.7,), "mine": (value,)}) for seed, value in enumerate([1.0, NAN])]
    asked = question({"he": [0, 0]}, metric="loss", direction="min")
    speed = {"trained": 2, "reused": 0, "seconds": 0.0}
    record = compare_runs(finished, asked, study={}, environment={}, speed=speed).to_dict()
    assert record["curves"]["he"]["mine"] == {"epoch": [1], "center": [None], "low": [None], "high": [None]}


def test_plain_data():
    class Thing:
        def __str__(self):
            return "thing"

    found = plain(
        {
            1: (np.float32(0.5), INF, NAN),
            "a": np.arange(2),
            "b": {True},
            "c": [None, Thing()],
            "d": np.int64(3),
        }
    )
    assert found == {"1": [0.5, None, None], "a": [0, 1], "b": [True], "c": [None, "thing"], "d": 3}


@FEW
@given(studies, st.randoms())
def test_neither_schemes_nor_runs_have_an_order(scores, random):
    names = random.sample(list(scores), len(scores))
    options = {"control": "s0", "target": Target("val_accuracy", 5.0, "max")}
    finished = runs(scores)
    random.shuffle(finished)
    speed = {"trained": 4, "reused": 0, "seconds": 1.0}
    moved = compare_runs(
        finished,
        question({name: scores[name] for name in names}, **options),
        study={"epochs": 2},
        environment={"python": "3"},
        speed=speed,
    )
    assert by_scheme(moved.to_dict()) == by_scheme(compared(scores, **options).to_dict())


@FEW
@given(studies)
def test_directions_mirror(scores):
    mirrored = {scheme: [-score for score in own] for scheme, own in scores.items()}
    larger = compared(scores, control="s0").to_dict()
    smaller = compared(mirrored, direction="min", control="s0").to_dict()
    assert smaller["improvement"] == larger["improvement"]
    for one, other in zip(larger["ranking"], smaller["ranking"], strict=True):
        assert (one["scheme"], one["effect"], one["failures"]) == (
            other["scheme"],
            other["effect"],
            other["failures"],
        )
        assert one["iqm"] is other["iqm"] is None or one["iqm"] == -other["iqm"]
        assert one["interval"] is other["interval"] is None or one["interval"] == [
            -end for end in reversed(other["interval"])
        ]


@FEW
@given(studies, st.sampled_from([1e-3, 0.1, 8.0]), st.sampled_from([-40.0, 0.0, 3.0]))
def test_units_change_no_conclusion(scores, scale, shift):
    moved = {scheme: [scale * (score + shift) for score in own] for scheme, own in scores.items()}
    one, other = (compared(each, control="s0").to_dict() for each in (scores, moved))
    assert one["improvement"] == other["improvement"]
    found, again = (
        {row["scheme"]: row["effect"] and row["effect"]["p_adjusted"] for row in record["ranking"]}
        for record in (one, other)
    )
    assert found == again
