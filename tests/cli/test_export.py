"""`fanin export`: to the terminal, to a file, into a pipe."""

import csv
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from fanin.cli import main
from fanin.experiments.store import open_reader, open_store
from fanin.testing.runs import make_run


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "runs.db"
    with open_store(path) as store:
        for study, seeds in (("ab12", 2), ("ab34", 3)):
            store.begin(study, {"builder": "create_model"})
            store.add(study, [make_run("zeros", seed) for seed in range(seeds)])
    return path


def export(*args):
    return CliRunner().invoke(main, ["export", *map(str, args)])


def test_csv_of_all_studies_is_the_default(path):
    result = export(path)
    assert result.exit_code == 0
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert len(rows) == 5 * 10
    assert {row["study"] for row in rows} == {"ab12", "ab34"}
    assert list(rows[0]) == ["study", "scheme", "seed", "epoch", "metric0", "metric1", "metric2", "metric3"]


def test_one_study_as_json_lines(path):
    lines = export(path, "--format", "jsonl", "--study", "ab3").stdout.splitlines()
    assert [(json.loads(line)["study"], json.loads(line)["seed"]) for line in lines] == [
        ("ab34", 0),
        ("ab34", 1),
        ("ab34", 2),
    ]


@pytest.mark.parametrize(
    ("prefix", "message"), [("ab", "2 studies begin"), ("x", "No study begins"), ("", "2 studies")]
)
def test_a_prefix_that_does_not_name_one_study(path, prefix, message):
    result = export(path, "--study", prefix)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "ab12, ab34" in result.stderr
    assert result.stdout == ""


def test_a_file_gets_the_same_as_the_terminal(path, tmp_path):
    for name in ("runs.csv", "läufe mit namen.csv"):
        assert export(path, "--output", tmp_path / name).output == ""
        assert (tmp_path / name).read_text(encoding="utf-8") == export(path).stdout
    assert export(path, "--output", "-").stdout == export(path).stdout
    assert sorted(file.name for file in tmp_path.iterdir()) == ["läufe mit namen.csv", "runs.csv", "runs.db"]


def test_a_file_is_replaced_only_by_a_whole_one(path, tmp_path):
    output = tmp_path / "runs.csv"
    output.write_text("from last week")
    with open_store(path) as store:
        store._connection.execute("UPDATE run SET curves = '?' WHERE study = 'ab34' AND seed = 2")
    result = export(path, "--output", output, "--format", "jsonl")
    assert result.exit_code == 2
    assert "is unreadable" in result.stderr
    assert output.read_text() == "from last week"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["runs.csv", "runs.db"]


def test_a_link_stays_a_link(path, tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert export(path, "--output", tmp_path / "link.csv").exit_code == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == export(path).stdout


def test_a_named_pipe_is_written_and_stays(path, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    texts = []
    reader = threading.Thread(target=lambda: texts.append(pipe.read_text()))
    reader.start()
    assert export(path, "--output", pipe).exit_code == 0
    reader.join()
    assert texts == [export(path).stdout]
    assert pipe.is_fifo()


def test_the_store_itself_is_never_written(path):
    before = path.read_bytes()
    result = export(path, "--output", path)
    assert result.exit_code == 2
    assert "is the store itself" in result.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["absent/runs.csv", "."])
def test_an_output_that_cannot_be_written(path, tmp_path, place):
    result = export(path, "--output", tmp_path / place)
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_a_missing_store(tmp_path):
    result = export(tmp_path / "absent.db", "--output", tmp_path / "runs.csv")
    assert result.exit_code == 2
    assert "There is no store" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_pipe_that_closes_early_is_no_error(path, form):
    with open_store(path) as store:  # more than a pipe holds
        store.add("ab12", [make_run("zeros", seed) for seed in range(1000)])
    command = [Path(sys.executable).with_name("fanin"), "export", str(path), "--format", form]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    with open_reader(path) as reader:
        assert reader.studies()[0].runs == 1000
