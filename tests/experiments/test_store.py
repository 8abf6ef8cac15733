"""Both stores keep the contract; what only a file can do is tested beside it."""

import sqlite3
from contextlib import closing

import pytest

from fanin.experiments.store import MemoryStore, SqliteStore, open_reader, open_store, trial_id
from fanin.testing.runs import make_run, same_bits
from fanin.testing.store import RECORD, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        with open_store(None) as store:
            assert isinstance(store, MemoryStore)
            yield store


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        with open_store(tmp_path / "runs.db") as store:
            assert isinstance(store, SqliteStore)
            yield store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


def fill(path, *runs, study="5e1f"):
    with open_store(path) as store:
        store.begin(study, RECORD)
        store.add(study, runs)


def query(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_runs_outlive_the_store(path):
    runs = [make_run("zeros", seed) for seed in range(40)]
    fill(path, *runs)
    with open_store(str(path)) as store:
        assert all(map(same_bits, store.finished("5e1f").values(), runs))
    fill(path, make_run("he_normal", 0))
    with open_reader(path) as reader:
        assert len(list(reader.runs("5e1f"))) == 41


def test_a_closed_store_is_one_plain_file(path):
    fill(path, make_run("zeros", 0))
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]
    with open_reader(path) as reader:
        assert reader.studies()[0].runs == 1
        assert [file.name for file in path.parent.iterdir()] == ["runs.db"]
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


def test_a_store_that_closes_under_a_reader_stays_whole(path):
    fill(path, make_run("zeros", 0))
    with open_store(path) as store:
        reader = open_reader(path)
        assert reader.studies()[0].runs == 1
        store.add("5e1f", [make_run("zeros", 1)])
    assert reader.studies()[0].runs == 2
    reader.close()
    fill(path, make_run("zeros", 2))
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]
    assert query(path, "SELECT seed FROM run") == [(0,), (1,), (2,)]


def test_names_with_odd_characters_are_only_names(tmp_path):
    for name in ("a b?mode=ro&x=#1.db", "100%25.db", ":memory:", "läufe.db", "file:x.db"):
        fill(tmp_path / name, make_run("zeros", 0))
        with open_reader(tmp_path / name) as reader:
            assert reader.studies()[0].runs == 1
    assert len(list(tmp_path.iterdir())) == 5


def test_a_relative_path_and_a_link_are_the_same_store(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    fill("runs.db", make_run("zeros", 0))
    link = path.with_name("link.db")
    link.symlink_to(path)
    fill(link, make_run("zeros", 1))
    assert query(path, "SELECT count(*) FROM run") == [(2,)]
    assert sorted(file.name for file in path.parent.iterdir()) == ["link.db", "runs.db"]


def test_reading_in_batches_loses_and_doubles_nothing(path):
    others = [make_run("zeros", seed, epochs=1) for seed in range(700)]
    with open_store(path) as store:
        for study in ("a", "b"):
            store.begin(study, RECORD)
        for start in range(0, 700, 7):  # interleaved, so that rowids of one study have gaps
            store.add("a", others[start : start + 7])
            store.add("b", others[start : start + 3])
    with open_reader(path) as reader:
        assert [run.seed for run in reader.runs("a")] == list(range(700))
        assert [run.seed for run in reader.runs("b")] == [seed for seed in range(700) if seed % 7 < 3]


def test_a_mark_hides_what_is_added_later(path):
    fill(path, make_run("zeros", 0))
    with open_reader(path) as reader:
        mark = reader.mark()
        fill(path, make_run("zeros", 1, metrics=5))
        assert [run.seed for run in reader.runs("5e1f", until=mark)] == [0]
        assert reader.metrics("5e1f", until=mark) == ["metric0", "metric1", "metric2", "metric3"]
        assert len(reader.metrics("5e1f")) == 5


def test_a_slow_reader_holds_nobody_up(path):
    fill(path, *(make_run("zeros", seed, epochs=1) for seed in range(300)))
    with open_reader(path) as reader:
        runs = reader.runs("5e1f")
        next(runs)
        # The file changes its journal here, which a reader's open transaction would not allow.
        with open_store(path, wait=0.1) as store:
            store.add("5e1f", [make_run("zeros", 300, epochs=1)])
        assert [run.seed for run in runs] == list(range(1, 301))


def test_the_views_answer_in_sql(path):
    inf, nan = float("inf"), float("nan")
    from fanin.frameworks.training import Run

    fill(
        path,
        Run("zeros", 0, {"loss": (0.7, 0.1), "accuracy": (0.5, 0.9)}),
        Run("zeros", 1, {"loss": (0.7, inf, nan), "accuracy": ()}),
        Run("zeros", 2, {"loss": (-inf, -nan)}),
    )
    assert query(
        path, "SELECT seed, metric, epoch, value, finite FROM curve ORDER BY seed, metric DESC, epoch"
    ) == [
        *(
            (0, "loss", 1, 0.7, 1),
            (0, "loss", 2, 0.1, 1),
            (0, "accuracy", 1, 0.5, 1),
            (0, "accuracy", 2, 0.9, 1),
        ),
        *((1, "loss", 1, 0.7, 1), (1, "loss", 2, inf, 0), (1, "loss", 3, None, 0)),
        *((2, "loss", 1, -inf, 0), (2, "loss", 2, None, 0)),
    ]
    assert query(
        path, "SELECT seed, epoch, value, finite FROM final WHERE metric = 'loss' ORDER BY seed"
    ) == [
        (0, 2, 0.1, 1),
        (1, 3, None, 0),
        (2, 2, None, 0),
    ]
    assert query(path, "SELECT json_extract(record, '$.builder') FROM study") == [("create_model",)]


def test_trial_ids_tell_all_three_parts_apart():
    parts = [("a", "b", 1), ("ab", "", 1), ("a", "b1", 1), ("a", "b", 11), ("a,b", "", 1), ('a", "b', "", 1)]
    assert len({trial_id(*part) for part in parts}) == len(parts)
