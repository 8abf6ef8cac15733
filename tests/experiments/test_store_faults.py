"""What can be wrong with a store's file: each is told in one message, and none does any harm."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fanin.errors import FaninError
from fanin.experiments.store import open_reader, open_store, opening
from fanin.testing.runs import make_run, same_bits
from fanin.testing.store import RECORD
from isolated import run_isolated


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


def fill(path, *runs):
    with open_store(path) as store:
        store.begin("5e1f", RECORD)
        store.add("5e1f", runs)


def execute(path, *statements):
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def refused(path, *openers):
    """Return the message with which each opener refuses a file, having left it and its directory alone."""
    before = {file: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    messages = set()
    for opener in openers or (open_reader, open_store):
        with pytest.raises(FaninError) as caught:
            opener(path)
        messages.add(str(caught.value))
        assert {file: file.read_bytes() for file in path.parent.iterdir() if file.is_file()} == before
    (message,) = messages
    return message


def test_a_missing_file_is_not_made_by_a_reader(path):
    assert "There is no store" in refused(path, open_reader)
    assert not path.exists()


def test_a_missing_directory(path):
    with pytest.raises(FaninError, match="There is no directory") as caught:
        open_store(path.parent / "absent" / "runs.db")
    assert "mkdir -p" in str(caught.value)


def test_a_directory(path):
    path.mkdir()
    assert "is a directory" in refused(path)


@pytest.mark.parametrize(
    "content",
    [b"scheme,seed\nzeros,0\n" * 200, bytes(range(256)) * 16, b"SQLite format 2" + bytes(700)],
    ids=["text", "bytes", "header"],
)
def test_a_file_that_is_not_sqlite(path, content):
    path.write_bytes(content)
    assert "is not an SQLite file" in refused(path)


def test_a_file_too_short_for_sqlite_to_tell(path):
    path.write_bytes(b"x")
    assert "is not a store of fanin" in refused(path)


def test_another_programs_database(path):
    execute(path, "CREATE TABLE notes (text)", "INSERT INTO notes VALUES ('mine')")
    assert "is not a store of fanin" in refused(path)


def test_a_store_that_another_driver_is_making(path):
    """It has set the mode of its log, and made no table yet."""
    execute(path, "PRAGMA journal_mode = WAL", "PRAGMA user_version = 0")
    assert path.stat().st_size
    fill(path, make_run("zeros", 0))
    with open_reader(path) as reader:
        assert reader.studies()[0].runs == 1


def test_a_newer_format(path):
    fill(path, make_run("zeros", 0))
    execute(path, "PRAGMA user_version = 7")
    message = refused(path)
    assert "format 7" in message
    assert "pip install --upgrade fanin" in message


def test_an_empty_file_becomes_a_store_but_is_none_to_read(path):
    path.touch()
    assert "is not a store of fanin" in refused(path, open_reader)
    fill(path, make_run("zeros", 0))
    with open_reader(path) as reader:
        assert reader.studies()[0].runs == 1


def test_a_damaged_file(path):
    fill(path, *(make_run("zeros", seed) for seed in range(200)))
    content = bytearray(path.read_bytes())
    content[8192:-4096] = os.urandom(len(content) - 12288)
    path.write_bytes(content)
    with open_reader(path) as reader, pytest.raises(FaninError, match="damaged"):
        list(reader.runs("5e1f"))
    with open_store(path) as store, pytest.raises(FaninError, match="damaged"):
        store.finished("5e1f")


def test_a_truncated_file(path):
    fill(path, *(make_run("zeros", seed) for seed in range(200)))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(FaninError, match="damaged"), open_reader(path) as reader:
        list(reader.runs("5e1f"))


@pytest.mark.parametrize(
    "curves", ["", "null", "[1]", '{"loss": 3}', '{"loss": ["?"]}', '{"loss": ["nan:x"]}']
)
def test_a_run_that_someone_edited(path, curves):
    fill(path, make_run("zeros", 0))
    execute(path, f"UPDATE run SET curves = '{curves}'")
    with open_reader(path) as reader, pytest.raises(FaninError, match="zeros, seed 0, is unreadable"):
        list(reader.runs("5e1f"))


def test_a_database_that_another_program_keeps_locked(path, monkeypatch):
    monkeypatch.setattr(opening, "_BUSY", 0.1)
    fill(path, make_run("zeros", 0))
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        shell.execute("BEGIN EXCLUSIVE")
        assert "Another program has locked" in refused(path)
        shell.execute("ROLLBACK")
    fill(path, make_run("zeros", 1))


def test_a_shell_that_writes_meanwhile_costs_only_one_block(path, monkeypatch):
    monkeypatch.setattr(opening, "_BUSY", 0.1)
    with open_store(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as shell:
        store.begin("5e1f", RECORD)
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(FaninError, match="Another program has locked"):
            store.add("5e1f", [make_run("zeros", 0)])
        shell.execute("ROLLBACK")
        store.add("5e1f", [make_run("zeros", 1)])
        assert list(store.finished("5e1f")) == [("zeros", 1)]


def test_a_file_system_without_shared_memory(path):
    # SQLite's own file system for places without locks has no shared memory, as some networks'.
    connection = sqlite3.connect(f"{path.as_uri()}?vfs=unix-dotfile", uri=True, isolation_level=None)
    with closing(connection), pytest.raises(FaninError, match="network file systems"):
        opening._share(connection, path)


def test_a_full_store_refuses_a_block_and_goes_on(path):
    fill(path, make_run("zeros", 0))
    with open_store(path) as store:
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(FaninError, match="is full"):
            store.add("5e1f", [make_run("zeros", seed) for seed in range(100)])
        assert list(store.finished("5e1f")) == [("zeros", 0)]
        store._connection.execute("PRAGMA max_page_count = 1000000")
        store.add("5e1f", [make_run("zeros", seed) for seed in range(100)])
    with open_reader(path) as reader:
        assert all(same_bits(run, make_run("zeros", run.seed)) for run in reader.runs("5e1f"))
        assert reader.studies()[0].runs == 100


FULL_DISK = """
import itertools, os
from fanin.errors import FaninError
from fanin.experiments.store import open_reader, open_store
from fanin.testing.runs import make_run, same_bits

kept, said = 0, ""
with open("ballast", "wb") as file:
    file.write(bytes(600_000))
with open_store("runs.db") as store:
    store.begin("5e1f", {"builder": "create_model"})
    for block in itertools.count():
        try:
            store.add("5e1f", [make_run("zeros", 8 * block + k) for k in range(8)])
        except FaninError as error:
            said = str(error)
            break
        kept += 8
assert said.startswith("The disk of runs.db is full."), said
assert kept > 20, kept

def check(count):
    with open_reader("runs.db") as reader:
        runs = list(reader.runs("5e1f"))
    assert len(runs) == count, (len(runs), count)
    assert all(same_bits(run, make_run("zeros", run.seed)) for run in runs)

check(kept)
os.remove("ballast")
with open_store("runs.db") as store:
    store.add("5e1f", [make_run("zeros", seed) for seed in range(kept + 8)])
check(kept + 8)
assert os.listdir() == ["runs.db"], os.listdir()

with open("ballast", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
check(kept + 8)
try:
    open_store("other.db")
except FaninError as error:
    said = str(error)
assert said.startswith("The disk of other.db is full."), said
print("all kept")
"""


def test_a_disk_that_is_full(tmp_path):
    done = run_isolated(tmp_path, FULL_DISK, size="1m")
    assert done.stdout == "all kept\n", done.stderr


READ_ONLY_DISK = """
import os, shutil, signal, subprocess, sys
from fanin.errors import FaninError
from fanin.experiments.store import lock, open_reader, open_store
from fanin.testing.runs import make_run, same_bits

def fill(path, *seeds):
    with open_store(path) as store:
        store.begin("5e1f", {"builder": "create_model"})
        store.add("5e1f", [make_run("zeros", seed) for seed in seeds])

def seeds(path):
    with open_reader(path) as reader:
        runs = list(reader.runs("5e1f"))
    assert all(same_bits(run, make_run("zeros", run.seed)) for run in runs)
    return [run.seed for run in runs]

def message(opener, path):
    try:
        opener(path)
    except FaninError as error:
        return str(error)

fill("closed.db", 0)
fill("killed.db", 0)
if (child := os.fork()) == 0:
    store = open_store("killed.db")
    store.add("5e1f", [make_run("zeros", 1)])
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
# A copy whose log is there without its index, one that lost both, and one in WAL mode that was closed.
for name in ("killed.db", "killed.db-wal"):
    shutil.copy(name, name.replace("killed", "copied"))
shutil.copy("killed.db", "bare.db")
held = open_store("killed.db")
held._connection.close()  # as SQLite closes a file that fanin did not settle
lock.release(held._lock)
shutil.copy("killed.db", "wal.db")
if (child := os.fork()) == 0:
    store = open_store("killed.db")
    store.add("5e1f", [make_run("zeros", 2)])
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
assert os.path.exists("killed.db-wal") and os.path.exists("killed.db-shm")
subprocess.run(["mount", "-o", "remount,ro", os.getcwd()], check=True, cwd="/")
before = sorted(os.listdir())
try:
    open("probe", "w")
except OSError:
    pass
else:
    raise AssertionError("not read-only")

assert seeds("closed.db") == [0]
assert seeds("bare.db") == [0]
assert seeds("wal.db") == [0, 1]
assert seeds("killed.db") == [0, 1, 2]
assert "newest runs" in message(open_reader, "copied.db"), message(open_reader, "copied.db")
for path in ("closed.db", "killed.db", "wal.db", "new.db"):
    assert "cannot be written" in message(open_store, path), message(open_store, path)
assert sorted(os.listdir()) == before
print("all read")
"""


def test_a_read_only_file_system(tmp_path):
    done = run_isolated(tmp_path, READ_ONLY_DISK)
    assert done.stdout == "all read\n", done.stderr


@contextmanager
def unprivileged():
    """Drop root's rights, before which no file is read-only."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def shared():
    """A store in a directory that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        fill(Path(name) / "runs.db", make_run("zeros", 0))
        yield Path(name) / "runs.db"
        Path(name).chmod(0o755)


def test_a_read_only_file_in_a_directory_that_can_be_written(shared):
    shared.parent.chmod(0o777)
    shared.chmod(0o444)
    with unprivileged():
        with open_reader(shared) as reader:
            assert reader.studies()[0].runs == 1
        assert "cannot be written" in refused(shared, open_store)


def test_a_read_only_directory(shared):
    shared.chmod(0o666)
    shared.parent.chmod(0o555)
    with unprivileged():
        with open_reader(shared) as reader:
            assert reader.studies()[0].runs == 1
        assert "cannot be written" in refused(shared, open_store)
        assert "cannot be written" in refused(shared.with_name("new.db"), open_store)


def test_a_file_that_may_not_be_read(shared):
    shared.chmod(0o000)
    with unprivileged(), pytest.raises(FaninError, match="cannot be opened"):
        open_reader(shared)


def test_a_directory_that_may_not_be_entered(shared):
    shared.parent.chmod(0o000)
    with unprivileged():
        for opener in (open_reader, open_store):
            with pytest.raises(FaninError, match=r"cannot be opened \(Permission denied"):
                opener(shared)


def test_a_name_too_long_for_the_file_system(tmp_path):
    for opener in (open_reader, open_store):
        with pytest.raises(FaninError, match=r"cannot be opened \(File name too long"):
            opener(tmp_path / ("x" * 300))


HALF = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # pages reach the file before the transaction ends
connection.execute("BEGIN")
connection.execute("UPDATE run SET curves = replace(curves, '0', '1'), seed = seed + 1000")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_reader_undoes_a_transaction_that_was_cut_short(path):
    fill(path, *(make_run("zeros", seed) for seed in range(100)))
    whole = path.read_bytes()
    subprocess.run([sys.executable, "-c", HALF, str(path)])
    assert path.with_name("runs.db-journal").stat().st_size
    assert path.read_bytes() != whole
    with open_reader(path) as reader:
        assert all(same_bits(run, make_run("zeros", run.seed)) for run in reader.runs("5e1f"))
        assert reader.studies()[0].runs == 100
