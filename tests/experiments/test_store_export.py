"""Exports say what the store holds, to the last bit, without holding it all in memory."""

import csv
import io
import json
import math
import tracemalloc

import pytest
from hypothesis import given, settings

from fanin.errors import FaninError
from fanin.experiments.export import find_study, write_csv, write_jsonl
from fanin.experiments.store import open_reader, open_store
from fanin.frameworks.training import Run
from fanin.testing.runs import make_run, same_bits
from fanin.testing.store import curves

INF, NAN = math.inf, math.nan


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


def fill(path, **studies):
    with open_store(path) as store:
        for study, runs in studies.items():
            store.begin(study, {"builder": "create_model"})
            store.add(study, runs)


def exported(write, path, *studies):
    out = io.StringIO(newline="")
    with open_reader(path) as reader:
        write(reader, studies, out)
    return out.getvalue()


def test_csv_is_one_row_an_epoch(path):
    fill(
        path,
        a=[
            Run("he_normal", 0, {"loss": (0.5, 0.25), "accuracy": (0.5, 1.0)}),
            Run("zeros", 7, {"loss": (INF, NAN)}),
        ],
    )
    assert exported(write_csv, path, "a") == (
        "study,scheme,seed,epoch,loss,accuracy\n"
        "a,he_normal,0,1,0.5,0.5\n"
        "a,he_normal,0,2,0.25,1.0\n"
        "a,zeros,7,1,inf,\n"
        "a,zeros,7,2,nan,\n"
    )


def test_csv_has_the_quantities_of_all_studies_and_curves_of_any_length(path):
    fill(
        path,
        a=[Run("zeros", 0, {"loss": (1.0, 2.0, 3.0), "mae": (4.0,)})],
        b=[Run("zeros", 0, {"r2": (-INF,), "loss": ()})],
    )
    rows = list(csv.DictReader(io.StringIO(exported(write_csv, path, "a", "b"))))
    assert [list(row.values()) for row in rows] == [
        ["a", "zeros", "0", "1", "1.0", "4.0", ""],
        ["a", "zeros", "0", "2", "2.0", "", ""],
        ["a", "zeros", "0", "3", "3.0", "", ""],
        ["b", "zeros", "0", "1", "", "", "-inf"],
    ]
    assert "b,zeros,0,1,,-inf" not in exported(write_csv, path, "a")


def test_csv_quotes_names_and_keeps_its_keys(path):
    fill(path, a=[Run('normal(mean=0, stddev=".05")', 0, {"seed": (1.0,), 'a,"b"\n': (2.0,)})])
    (row,) = csv.DictReader(io.StringIO(exported(write_csv, path, "a"), newline=""))
    assert row == {
        "study": "a",
        "scheme": 'normal(mean=0, stddev=".05")',
        "seed": "0",
        "epoch": "1",
        "metric_seed": "1.0",
        'a,"b"\n': "2.0",
    }


def test_csv_reads_back_bit_for_bit(path):
    run = make_run("zeros", 3, epochs=200, metrics=1)
    fill(path, a=[run])
    rows = csv.DictReader(io.StringIO(exported(write_csv, path, "a")))
    # CSV knows one NaN.
    want = ["nan" if math.isnan(value) else value.hex() for value in run.curves["metric0"]]
    assert [float(row["metric0"]).hex() for row in rows] == want


def test_jsonl_is_one_run_a_line(path):
    fill(
        path,
        a=[
            Run("zeros", 0, {"loss": (0.5, NAN, -INF)}, 1.5, {"keras": "3.15.0"}),
            Run("ones", 1, {"loss": (0.5,)}, NAN),
        ],
    )
    first, second = exported(write_jsonl, path, "a").splitlines()
    assert json.loads(first) == {
        "study": "a",
        "scheme": "zeros",
        "seed": 0,
        "seconds": 1.5,
        "versions": {"keras": "3.15.0"},
        "curves": {"loss": [0.5, None, None]},
        "nonfinite": True,
    }
    assert json.loads(second)["nonfinite"] is False
    assert json.loads(second)["seconds"] is None


def test_jsonl_reads_back_what_is_finite(path):
    numbers = iter(range(10_000))

    @given(curves=curves)
    @settings(deadline=None, max_examples=40)
    def check(curves):
        study = f"s{next(numbers)}"
        fill(path, **{study: [Run("any", 0, curves)]})
        (line,) = exported(write_jsonl, path, study).split("\n")[:-1]
        found = json.loads(line)
        assert found["nonfinite"] == any(not math.isfinite(v) for curve in curves.values() for v in curve)
        finite = {
            name: tuple(v if math.isfinite(v) else 0.0 for v in curve) for name, curve in curves.items()
        }
        read = {
            name: tuple(0.0 if v is None else v for v in curve) for name, curve in found["curves"].items()
        }
        assert same_bits(Run("any", 0, read), Run("any", 0, finite))

    check()


def test_an_empty_store_is_only_a_header(path):
    fill(path)
    assert exported(write_csv, path) == "study,scheme,seed,epoch\n"
    assert exported(write_jsonl, path) == ""


class Sink(io.StringIO):
    """Forgets what is written."""

    def write(self, text):
        return len(text)


def peak(write, path):
    with open_reader(path) as reader:
        tracemalloc.start()
        write(reader, ["a"], Sink())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


@pytest.mark.parametrize("write", [write_csv, write_jsonl])
def test_memory_does_not_grow_with_the_runs(path, write):
    fill(path, a=[make_run("zeros", seed, metrics=2) for seed in range(600)])
    few = peak(write, path)
    fill(path, a=[make_run("zeros", seed, metrics=2) for seed in range(3000)])
    assert peak(write, path) < 1.5 * few


def test_a_study_is_found_by_the_beginning_of_its_id(path):
    fill(path, ab12=[], ab34=[], cd=[])
    with open_reader(path) as reader:
        rows = reader.studies()
    assert find_study(rows, "c").id == "cd"
    assert find_study(rows, "ab3").id == "ab34"
    with pytest.raises(FaninError, match="2 studies begin with 'ab'") as caught:
        find_study(rows, "ab")
    assert "ab12, ab34" in str(caught.value)
    with pytest.raises(FaninError, match="No study begins with 'x'"):
        find_study(rows, "x")
    with pytest.raises(FaninError, match="the store is empty"):
        find_study([], "x")
