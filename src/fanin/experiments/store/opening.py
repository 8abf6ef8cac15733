"""Opening a store's file, to write or only to read, and knowing it from other files."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from fanin.errors import FaninError
from fanin.experiments.store.faults import explained, foreign, no_wal
from fanin.experiments.store.schema import APPLICATION_ID, STATEMENTS, VERSION

_MAGIC = b"SQLite format 3\0"
_BUSY = 10.0
"""Seconds to wait for another program's transaction."""


def connect_writing(path: Path) -> sqlite3.Connection:
    """Open or make a store's file, ready to be written.

    Raises:
        FaninError: It is not a store, or cannot be written here.
    """
    with explained(path):
        connection = _connect(path, "mode=rwc")
        try:
            _share(connection, path)
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                if _is_empty(connection):
                    for statement in STATEMENTS:
                        connection.execute(statement)
                _identify(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def refuse(path: Path) -> None:
    """Raise a FaninError where a store cannot be; touch nothing, it may be somebody else's file."""
    with explained(path):
        if not path.parent.is_dir():
            raise FaninError(
                f"There is no directory {path.parent} for the store.", fix=f"mkdir -p {path.parent}"
            )
        if path.is_dir() or (path.exists() and path.stat().st_size):
            # One that another driver is making at this moment is a database, and has no tables yet.
            _connect_reading(path, empty=_is_database(path)).close()


def _is_database(path: Path) -> bool:
    """Return whether a file begins as SQLite's do: a shorter one it would take for an empty one, and fill."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def connect_reading(path: Path) -> sqlite3.Connection:
    """Open a store's file to read it; nothing is made that is not there.

    Raises:
        FaninError: It is missing, not a store, or cannot be read here.
    """
    return _connect_reading(path, empty=False)


def _connect_reading(path: Path, *, empty: bool) -> sqlite3.Connection:
    with explained(path):
        if path.is_dir():
            raise FaninError(f"{path} is a directory.", expected="a file", fix=f"{path / 'runs.db'}")
        if not path.exists():
            raise FaninError(
                f"There is no store {path}.",
                expected="a file that fanin compare --store made",
                fix="check the path",
            )
        connection = _readable(path)
        try:
            if not (empty and _is_empty(connection)):
                _identify(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _identify(connection: sqlite3.Connection, path: Path) -> None:
    """Raise a FaninError unless the file is a store of a format that is known here."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise foreign(path, "a store of fanin")
    if version > VERSION:
        raise FaninError(
            f"{path} has format {version}; this fanin knows formats up to {VERSION}.",
            fix="pip install --upgrade fanin",
        )


def _share(connection: sqlite3.Connection, path: Path) -> None:
    """Let others read while this connection writes (a write-ahead log)."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise no_wal(path)
    # Every commit is on the disk, not only with the system: a loss of power loses no run either.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def settle(connection: sqlite3.Connection) -> None:
    """Leave one plain file behind, which opens from anywhere and copies whole."""
    # Where somebody reads it at this moment, or the disk is full, the log stays beside it: also good.
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")


def _readable(path: Path) -> sqlite3.Connection:
    """Return a connection that can read: what a killed driver left may first need a recovery."""
    for mode in ("mode=ro", "mode=rw"):
        connection = _connect(path, mode)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            if not getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
                raise
            failed = error
    # A log that cannot have its index beside it: without a log there is nothing to miss.
    for suffix in ("-wal", "-journal"):
        rest = path.with_name(path.name + suffix)
        if rest.exists() and rest.stat().st_size:
            raise FaninError(
                f"{path} was not closed, and its newest runs cannot be read where it is.",
                expected=f"a directory that can be written, for {path} and {rest.name}",
                fix=f"cp {path} {rest} /tmp   and read it there",
            )
    try:
        return _connect(path, "mode=ro&immutable=1")
    except sqlite3.OperationalError:
        raise failed from None


def _connect(path: Path, options: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, timeout=_BUSY, isolation_level=None)


def _is_empty(connection: sqlite3.Connection) -> bool:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return application == 0 and tables == 0
