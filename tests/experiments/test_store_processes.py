"""Several processes at one store: drivers that are killed, readers beside them, drivers that meet."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import pytest

from fanin.errors import FaninError
from fanin.experiments.store import open_reader, open_store
from fanin.testing.runs import make_run, same_bits

BLOCK = 4

# Adds blocks from a first number on, and says each number once `add` has returned.
DRIVER = """
import sys
from fanin.experiments.store import open_store
from fanin.testing.runs import make_run

path, first, last, reopen = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "reopen"
store = open_store(path, wait=60)
store.begin("5e1f", {"builder": "create_model"})
for block in range(first, last):
    store.add("5e1f", [make_run("zeros", 4 * block + k) for k in range(4)])
    print(block, flush=True)
    if reopen:
        store.close()
        store = open_store(path, wait=60)
store.close()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


@contextmanager
def driver(path, first, last, how="stay"):
    command = [sys.executable, "-c", DRIVER, str(path), str(first), str(last), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def blocks(path):
    """Return how many blocks the store holds, each of them whole and right to the last bit."""
    with open_reader(path) as reader:
        runs = list(reader.runs("5e1f"))
    assert [run.seed for run in runs] == list(range(len(runs)))
    assert all(same_bits(run, make_run("zeros", run.seed)) for run in runs)
    assert len(runs) % BLOCK == 0
    return len(runs) // BLOCK


@pytest.mark.parametrize("how", ["stay", "reopen"])
def test_a_killed_driver_loses_nothing_it_acknowledged(path, how):
    source = random.Random(how)
    kept = 0
    for _ in range(5):
        with driver(path, kept, kept + 10_000, how) as process:
            acknowledged = [int(process.stdout.readline())]
            threading.Timer(source.uniform(0, 0.12), process.kill).start()
            acknowledged += map(int, process.stdout)
        assert process.returncode == -signal.SIGKILL
        assert acknowledged == list(range(kept, kept + len(acknowledged)))
        # One block may be safe that the driver had no time to tell of.
        assert blocks(path) - acknowledged[-1] - 1 in (0, 1)
        kept = blocks(path)
        with closing(sqlite3.connect(path)) as shell:
            assert shell.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert shell.execute("PRAGMA foreign_key_check").fetchall() == []
    with open_store(path) as store:  # the dead hold no lock
        assert len(store.finished("5e1f")) == BLOCK * kept
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


def test_a_second_process_reads_while_the_first_writes(path):
    with driver(path, 0, 150) as process:
        seen = [(int(line) + 1, blocks(path)) for line in process.stdout if int(line) % 10 == 0]
    assert process.returncode == 0
    assert len(seen) == 15
    assert all(found >= told for told, found in seen)
    assert [found for _, found in seen] == sorted(found for _, found in seen)
    assert blocks(path) == 150


def test_a_reader_stays_open_through_a_drivers_life(path):
    with open_store(path) as store:
        store.begin("5e1f", {})
    with open_reader(path) as reader:
        for first in (0, 3):
            with driver(path, first, first + 3) as process:
                process.wait()
            assert process.returncode == 0
            assert reader.studies()[0].runs == BLOCK * (first + 3)


def test_a_second_driver_is_told_who_writes(path):
    with driver(path, 0, 100_000) as process:
        process.stdout.readline()
        began = time.monotonic()
        with pytest.raises(FaninError, match=rf"process {process.pid}\) writes to"):
            open_store(path, wait=0.2)
        assert time.monotonic() - began >= 0.2
        assert process.poll() is None
    with open_store(path) as store:  # the dead hold no lock
        assert store.studies()


def test_a_second_store_in_one_process_is_refused_too(path):
    with open_store(path), pytest.raises(FaninError, match=f"process {os.getpid()}"):
        open_store(path, wait=0)
    open_store(path, wait=0).close()


def test_drivers_take_turns(path):
    processes = [
        subprocess.Popen([sys.executable, "-c", DRIVER, str(path), str(10 * k), str(10 * k + 10), "reopen"])
        for k in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    with open_reader(path) as reader:
        runs = list(reader.runs("5e1f"))
    assert sorted(run.seed for run in runs) == list(range(30 * BLOCK))
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


def test_a_driver_waits_for_one_that_is_about_to_end(path):
    opened = []
    waiter = threading.Thread(target=lambda: opened.append(open_store(path, wait=30).close()))
    with open_store(path):
        waiter.start()
        waiter.join(0.3)
        assert waiter.is_alive()
    waiter.join()
    assert opened == [None]
