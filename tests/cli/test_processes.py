"""The real command in a process of its own: what it prints, and what is left of it when it is stopped."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from commands import USER, run, start
from fanin.experiments.store import open_reader
from fanin.testing.runs import same_bits
from isolated import run_isolated

STUDY = (
    "compare user.py:create_model --data user.py:load_data --schemes zeros,he_normal --seeds 50 --epochs 10 "
    "--batch-size 32 --optimizer adam --loss binary_crossentropy --metric accuracy --target loss=.3 "
    "--store runs.db --html report.html"
)
LONG = "MINE --seeds 400 --epochs 200 --batch-size 8 --store runs.db"


def test_the_whole_command_line(folder):
    code, stdout, stderr = run(STUDY, folder)
    assert (code, stderr.splitlines()[-1]) == (0, "Report: report.html")
    assert "2 schemes × 50 seeds × 10 epochs" in stdout
    assert max(map(len, stdout.splitlines())) <= 80
    assert "a builder that prints" not in stdout
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")
    assert count(folder) == 100
    (folder / "user.py").write_text(USER.replace("a builder that prints", "an edited builder"))
    code, stdout, _ = run(f"{STUDY} --schemes zeros,he_normal,ones --seeds 3 --json", folder)
    record = json.loads(stdout)
    assert (code, record["speed"]["trained"], record["speed"]["reused"]) == (0, 9, 0)
    assert count(folder) == 109  # another builder is another study in the same file
    with open_reader(folder / "runs.db") as reader:
        assert [row.runs for row in reader.studies()] == [100, 9]


def test_a_killed_study_goes_on_and_ends_as_if_it_had_not_been(folder, tmp_path_factory):
    process = start(LONG, folder)
    wait_for_runs(folder, 100, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = runs(folder)
    assert 100 <= len(kept) < 800
    code, stdout, stderr = run(f"{LONG} --json", folder)
    assert code == 0, stderr
    speed = json.loads(stdout)["speed"]
    assert (speed["reused"], speed["trained"]) == (len(kept), 800 - len(kept))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "user.py").write_text(USER)
    assert run(LONG, elsewhere)[0] == 0
    whole, resumed = runs(elsewhere), runs(folder)
    assert resumed.keys() == whole.keys()
    assert all(same_bits(resumed[key], kept[key]) for key in kept)
    assert all(same_curves(resumed[key], whole[key]) for key in whole)


def test_ctrl_c_keeps_what_finished(folder):
    process = start(LONG, folder)
    wait_for_runs(folder, 1, process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines()[-1] == (
        "Interrupted. Finished runs are kept in runs.db; the same command goes on from there."
    )
    assert "Traceback" not in stderr
    assert 1 <= count(folder) < 800


TENSORFLOW = """
import numpy as np
from tensorflow import keras

def create_model(initializer):
    print("backend:", keras.backend.backend())
    hidden = keras.layers.Dense(4, activation="relu", kernel_initializer=initializer)
    return keras.Sequential([keras.Input((3,)), hidden, keras.layers.Dense(1)])

def load_data():
    return np.ones((8, 3)), np.arange(8.0)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_tensorflows_keras_runs_on_the_backend_that_was_asked_for(tmp_path, backend):
    pytest.importorskip("tensorflow", exc_type=ImportError)
    (tmp_path / "model.py").write_text(TENSORFLOW)
    chosen = "" if backend == "jax" else f"--backend {backend}"
    code, stdout, stderr = run(
        "compare model.py:create_model --data model.py:load_data --loss mse --schemes zeros,he_normal "
        f"--seeds 2 --epochs 1 --batch-size 8 --json {chosen}",
        tmp_path,
    )
    assert code == 0, stderr
    assert f"backend: {backend}" in stderr
    record = json.loads(stdout)
    assert record["study"]["backend"] == backend
    assert backend in record["environment"]
    assert any("one run after the other" in note for note in record["notes"]) == (backend == "torch")


WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, *args, **kwargs):
        return None if name.split(".")[0] == sys.argv[1] else super().find_spec(name, *args, **kwargs)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
from fanin.cli import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("package", "command", "fix"),
    [
        ("keras", "compare", "pip install 'fanin[keras]'"),
        ("jax", "compare", "pip install 'fanin[jax]'"),
        ("torch", "compare --backend torch", "pip install 'fanin[torch]'"),
        ("tensorflow", "compare --backend tensorflow", "pip install tensorflow"),
        ("sklearn", "compare", "pip install 'fanin[data]'"),
    ],
)
def test_a_missing_extra_names_the_pip_command(package, command, fix):
    python = [sys.executable, "-c", WITHOUT, package, *command.split()]
    done = subprocess.run(python, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"  fix: {fix}"
    assert "Traceback" not in done.stderr


FULL_DISK = """
import os, subprocess, sys
from pathlib import Path
from commands import FANIN, USER, words
from fanin.experiments.store import open_reader

def study():
    command = "MINE --seeds 500 --epochs 30 --batch-size 8 --store runs.db"
    return subprocess.run([FANIN, *words(command)], capture_output=True, text=True)

def kept():
    with open_reader("runs.db") as reader:
        return reader.studies()[0].runs

os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
Path("user.py").write_text(USER)
Path("ballast").write_bytes(bytes(800_000))
done = study()
assert done.returncode == 2, done
assert done.stderr.splitlines()[-3].endswith("The disk of runs.db is full."), done.stderr
assert done.stdout == "", done.stdout
first = kept()
assert 20 < first < 1000, first
os.remove("ballast")
done = study()
assert kept() > first, done
print("all kept")
"""


def test_a_disk_that_fills_up_loses_nothing(tmp_path):
    tests = str(Path(__file__).parents[1])
    done = run_isolated(tmp_path, f"import sys; sys.path.insert(0, {tests!r})\n{FULL_DISK}", size="1m")
    assert done.stdout == "all kept\n", done.stderr


def count(folder):
    with closing(sqlite3.connect(f"file:{folder / 'runs.db'}?mode=ro", uri=True)) as shell:
        return shell.execute("SELECT count(*) FROM run").fetchone()[0]


def runs(folder):
    """Return all runs of the only study in a folder's store."""
    with open_reader(folder / "runs.db") as reader:
        (row,) = reader.studies()
        return {(run.scheme, run.seed): run for run in reader.runs(row.id)}


def same_curves(one, other):
    """Return whether two runs came to the same to the last bit, whatever time they took."""
    return same_bits(one, type(other)(**{**vars(other), "seconds": one.seconds}))


def wait_for_runs(folder, number, process):
    """Wait until a study has stored some runs, as others see it."""
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        try:
            if count(folder) >= number:
                return
        except sqlite3.OperationalError:
            pass  # it is not there yet
        time.sleep(0.005)
    process.kill()
    raise AssertionError(process.communicate()[1])
