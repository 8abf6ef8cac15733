"""What SQLite and the file system complain of, as errors that a user can mend."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fanin.errors import FaninError


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
        raise explain_os(error, path, "opened") from error


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
        return _unusable(path, "written", str(error))
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return _unusable(path, "opened", str(error))
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return FaninError(
            f"Another program has locked {path}.",
            fix="end it (an sqlite3 shell in a transaction?), then run this again",
        )
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _no_space(path)):
        return full(path)
    return _unusable(path, "read or written", f"{error}, {name}" if name else str(error))


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


def explain_os(error: OSError, path: Path, what: str) -> FaninError:
    """Return what an error of the system means for the store in a file.

    Args:
        error: The error.
        path: The store's file.
        what: What could not be done to it: "opened", "written".
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full(path)
    return _unusable(path, what, error.strerror or str(error))


def no_wal(path: Path) -> FaninError:
    """Return the error for a file system on which readers and a writer cannot share a file."""
    return FaninError(
        f"{path} is on a file system without shared memory, so nobody could read it while it is written.",
        expected="a local disk; network file systems often lack this",
        fix="--store on a local disk, and copy the file when the command has ended",
    )


def _unusable(path: Path, what: str, why: str) -> FaninError:
    return FaninError(
        f"{path} cannot be {what} ({why}).",
        expected="a file on a local disk that you may read; to add runs, write too, with its directory",
        fix="give another path, or change the permissions",
    )


def _no_space(path: Path) -> bool:
    import shutil

    try:
        return shutil.disk_usage(path.parent).free < 1 << 16
    except OSError:
        return False
