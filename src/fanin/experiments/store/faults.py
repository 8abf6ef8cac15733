"""What SQLite and the file system complain of, as errors that a user can mend."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fanin.errors import FaninError

_LOCAL = "a file on a local disk that you may read and write"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system inside the block into a FaninError about the store."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # ours, not the user's
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except OSError as error:
        raise _explain_os(error, path) from error


def explain(error: sqlite3.Error, path: Path) -> FaninError:
    """Return what an error of SQLite means for the store in a file."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_NOTADB":
        return foreign(path, "an SQLite file")
    if name.startswith("SQLITE_CORRUPT"):
        return FaninError(
            f"{path} is damaged ({error}).",
            fix=f"sqlite3 {path} .recover | sqlite3 recovered.db   saves what can be saved",
        )
    if name.startswith("SQLITE_READONLY"):
        return read_only(path, str(error))
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return FaninError(
            f"{path} cannot be opened ({error}).", expected=_LOCAL, fix="change its permissions"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return FaninError(
            f"Another program has locked {path}.",
            fix="end it (an sqlite3 shell in a transaction?), then run this again",
        )
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _no_space(path)):
        return full(path)
    return FaninError(
        f"{path} cannot be read or written ({error}{f', {name}' if name else ''}).", expected=_LOCAL
    )


def foreign(path: Path, missing: str) -> FaninError:
    """Return the error for a file that is something else."""
    return FaninError(
        f"{path} is not {missing}.", expected="a file that fanin compare --store made", fix="check the path"
    )


def full(path: Path) -> FaninError:
    """Return the error for a disk without room."""
    return FaninError(
        f"The disk of {path} is full.",
        expected="room for more runs; those already added are kept",
        fix="free some space, then run the same command again: it goes on where it stopped",
    )


def read_only(path: Path, why: str) -> FaninError:
    """Return the error for a store that cannot be written where it is."""
    return FaninError(
        f"{path} cannot be written ({why}).",
        expected=f"{_LOCAL}, in a directory that you may write to",
        fix="--store with another path, or change the permissions",
    )


def no_wal(path: Path) -> FaninError:
    """Return the error for a file system on which readers and a writer cannot share a file."""
    return FaninError(
        f"{path} is on a file system without shared memory, so nobody could read it while it is written.",
        expected="a local disk; network file systems often lack this",
        fix="--store on a local disk, and copy the file when the command has ended",
    )


def _explain_os(error: OSError, path: Path) -> FaninError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full(path)
    return read_only(path, error.strerror or str(error))


def _no_space(path: Path) -> bool:
    import shutil

    try:
        return shutil.disk_usage(path.parent).free < 1 << 16
    except OSError:
        return False
