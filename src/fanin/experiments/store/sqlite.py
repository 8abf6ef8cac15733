"""The store in a file: SQLite, one driver that writes, any number of readers meanwhile."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from fanin.experiments.store import lock, read
from fanin.experiments.store.base import Store, StudyRow, trial_id
from fanin.experiments.store.encoding import encode_curves
from fanin.experiments.store.faults import explained
from fanin.experiments.store.memory import MemoryStore
from fanin.experiments.store.opening import connect_reading, connect_writing, refuse, settle
from fanin.frameworks.training import Run

_INSERT = """
INSERT INTO run (id, study, scheme, seed, seconds, versions, curves) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING"""


def open_store(path: Path | str | None, *, wait: float = 5.0) -> Store:
    """Open the store that a driver writes to.

    Args:
        path: Its file, made where there is none; None for a store in memory.
        wait: How long to wait for another driver to end, in seconds.

    Raises:
        FaninError: Another driver writes to it; it is not a store, or of a newer format; it cannot be
            written there, or the disk is full.

    Example:
        >>> with open_store(None) as store:
        ...     store.studies()
        []
    """
    return MemoryStore() if path is None else SqliteStore(Path(path), wait=wait)


def open_reader(path: Path | str) -> SqliteReader:
    """Open a store's file to read it, also while a driver writes, also where nothing can be written.

    Raises:
        FaninError: It is missing, not a store, of a newer format, or cannot be read there.
    """
    return SqliteReader(Path(path))


@final
class SqliteStore(Store):
    """Keeps runs in a file of SQLite; see docs/store.md for its format and what it guarantees.

    Args:
        path: The file, made where there is none.
        wait: How long to wait for another driver to end, in seconds.
    """

    def __init__(self, path: Path, *, wait: float = 5.0) -> None:
        self._path = path
        self._connection, self._lock = _open_alone(path, wait)

    def begin(self, study_id: str, record: Mapping[str, Any]) -> None:
        """Register a study; one that is there already stays as it is."""
        with explained(self._path):
            self._connection.execute(
                "INSERT INTO study (id, record) VALUES (?, ?) ON CONFLICT (id) DO NOTHING",
                (study_id, json.dumps(record)),
            )

    def finished(self, study_id: str) -> dict[tuple[str, int], Run]:
        """Return the study's runs by (scheme, seed), in the order they were added."""
        with explained(self._path):
            return {(run.scheme, run.seed): run for run in read.runs(self._connection, study_id)}

    def add(self, study_id: str, runs: Sequence[Run]) -> None:
        """Keep runs in one transaction; one that is there already stays as it is."""
        rows = [_row(study_id, run) for run in runs]
        with explained(self._path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if not self._connection.execute("SELECT 1 FROM study WHERE id = ?", (study_id,)).fetchone():
                raise KeyError(study_id)
            self._connection.executemany(_INSERT, rows)

    def studies(self) -> list[StudyRow]:
        """Return all studies, in the order they were registered."""
        with explained(self._path):
            return read.studies(self._connection)

    def close(self) -> None:
        """Let go of the file, and of the right to write it."""
        settle(self._connection)
        self._connection.close()
        lock.release(self._lock)


@final
class SqliteReader:
    """Reads a store's file.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect_reading(path)

    def studies(self) -> list[StudyRow]:
        """Return all studies, in the order they were registered."""
        with explained(self._path):
            return read.studies(self._connection)

    def mark(self) -> int:
        """Return a mark of what is there now, for `runs` and `metrics`."""
        with explained(self._path):
            return read.mark(self._connection)

    def runs(self, study_id: str, *, until: int | None = None) -> Iterator[Run]:
        """Yield a study's runs as they were added, a few in memory at a time.

        Args:
            study_id: The study.
            until: A mark; runs added later are left out.
        """
        with explained(self._path):
            yield from read.runs(self._connection, study_id, until=until)

    def metrics(self, study_id: str, *, until: int | None = None) -> list[str]:
        """Return the names of what a study's runs logged, in the order they were first logged."""
        with explained(self._path):
            return read.metrics(self._connection, study_id, until=until)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_alone(path: Path, wait: float) -> tuple[sqlite3.Connection, FileIO]:
    """Return a connection that may write, and the lock that keeps other drivers out."""
    refuse(path)
    with explained(path):
        held = lock.acquire(path.resolve(), wait=wait)
    try:
        return connect_writing(path), held
    except BaseException:
        lock.release(held)
        raise


def _row(study_id: str, run: Run) -> tuple[Any, ...]:
    return (
        trial_id(study_id, run.scheme, run.seed),
        study_id,
        run.scheme,
        run.seed,
        run.seconds,
        json.dumps(dict(run.versions)),
        encode_curves(run.curves),
    )
