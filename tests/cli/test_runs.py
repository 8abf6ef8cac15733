"""`fanin runs`: what a store holds, in 80 columns or as JSON."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from fanin.cli import main
from fanin.experiments.store import open_store
from fanin.testing.runs import make_run

RECORD = {"builder": "create_model", "data": "seed", "epochs": 10, "batch_size": 32}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


def fill(path, study, record, *runs):
    with open_store(path) as store:
        store.begin(study, record)
        store.add(study, runs)


def shown(*args):
    result = CliRunner().invoke(main, ["runs", *map(str, args)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_each_study_is_a_row(path):
    fill(
        path,
        "5e1f00aa11bb22cc",
        RECORD,
        *(make_run(s, seed) for s in ("zeros", "he_normal") for seed in range(3)),
    )
    fill(path, "0123456789abcdef", {"builder": "models.py:tiny", "data": "digits"})
    header, first, more, second = (line.split() for line in shown(path).splitlines() if line.strip(" ─"))
    assert header == ["study", "builder", "data", "schemes", "seeds", "runs", "last", "run"]
    assert first[:-2] == ["5e1f00aa", "create_model", "seed", "zeros", "3", "6"]
    assert more == ["he_normal"]
    assert second[:-2] == ["01234567", "models.py:tiny", "digits", "0", "0"]


def test_the_time_is_the_last_runs_in_the_users_zone(path, monkeypatch):
    fill(path, "5e1f00aa11bb22cc", RECORD, make_run("zeros", 0))
    with open_store(path) as store:
        store._connection.execute("UPDATE run SET finished = '2026-01-02T23:30:00.000Z'")
    monkeypatch.setenv("TZ", "UTC-2")  # two hours east, as POSIX has it
    time.tzset()
    try:
        assert "2026-01-03 01:30" in shown(path)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_table_fits_80_columns_and_loses_no_word(path):
    schemes = [f"my_own_initializer_number_{k}@1a2b3c4d" for k in range(12)]
    record = {
        "builder": "a/rather/long/path/to/some/models.py:create_the_model",
        "data": "data.py:load_everything",
    }
    fill(path, "5e1f00aa11bb22cc", record, *(make_run(scheme, 12345678) for scheme in schemes))
    text = shown(path)
    assert max(map(len, text.splitlines())) <= 80
    columns = [[line[a:b] for line in text.splitlines()] for a, b in _columns(text)]
    flat = ["".join(column).replace(" ", "") for column in columns]
    assert record["builder"] in flat[1]
    assert record["data"] in flat[2]
    assert all(scheme in flat[3] for scheme in schemes)


def _columns(text):
    """Return where each column of a table begins and ends, by its header."""
    header = next(line for line in text.splitlines() if line.strip())
    starts = [header.index(title) for title in ("study", "builder", "data", "schemes", "seeds")]
    return list(zip(starts, [*starts[1:], 80], strict=True))


def test_names_are_shown_as_they_are_not_as_markup(path):
    fill(path, "5e1f", {"builder": "[red]f[/red]", "data": "[bold]"})
    assert "[red]f[/red]" in shown(path)
    assert "[bold]" in shown(path)


def test_ids_are_as_long_as_it_takes_to_tell_them_apart(path):
    for study in ("5e1f00aa11bb22cc", "5e1f00aa11ff22cc"):
        fill(path, study, RECORD)
    text = shown(path)
    assert "5e1f00aa11b " in text
    assert "5e1f00aa11f " in text


def test_json_says_all(path):
    record = {**RECORD, "class_weight": {"0": 0.5}, "clip": float("inf")}
    fill(path, "5e1f00aa11bb22cc", record, make_run("zeros", 4), make_run("zeros", 2))

    def refuse(constant):
        raise AssertionError(constant)

    document = json.loads(shown(path, "--json"), parse_constant=refuse)
    assert document["schema"] == "fanin.runs/1"
    (study,) = document["studies"]
    assert study["record"] == {**record, "clip": None}
    assert (study["id"], study["runs"], study["schemes"], study["seeds"]) == (
        "5e1f00aa11bb22cc",
        2,
        ["zeros"],
        [2, 4],
    )
    assert study["created"] <= study["last"]


def test_an_empty_store(path):
    open_store(path).close()
    assert shown(path) == f"{path} holds no studies yet.\n"
    assert json.loads(shown(path, "--json"))["studies"] == []


def test_a_record_without_names_is_listed(path):
    fill(path, "5e1f", {})
    assert "5e1f" in shown(path)


def test_a_missing_store_is_told_once_and_not_made(path):
    result = CliRunner().invoke(main, ["runs", str(path)])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: There is no store {path}.")
    assert "Traceback" not in result.stderr
    assert not path.exists()


def test_the_command_lists_while_a_driver_writes(path):
    with open_store(path) as store:
        store.begin("5e1f", RECORD)
        store.add("5e1f", [make_run("zeros", seed) for seed in range(3)])
        command = [Path(sys.executable).with_name("fanin"), "runs", str(path), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        store.add("5e1f", [make_run("zeros", 3)])
    assert json.loads(done.stdout)["studies"][0]["runs"] == 3
    assert done.stderr == ""
