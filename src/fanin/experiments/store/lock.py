"""One driver at a time: a lock that the system lets go of when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path

from fanin.errors import FaninError
from fanin.experiments.store.faults import explain_os

_PAUSE = 0.05


def acquire(store: Path, *, wait: float) -> FileIO:
    """Lock a store for writing, by a file beside it.

    SQLite's own locks last one transaction, but two drivers must not train the same runs.

    Args:
        store: The store's file, symbolic links resolved.
        wait: How long to wait for another driver, in seconds.

    Returns:
        The open lock file, for `release`.

    Raises:
        FaninError: Another driver still writes, or the lock file cannot be made.
    """
    path = store.with_name(f"{store.name}-lock")
    deadline = time.monotonic() + wait
    while True:
        file = _open(path, store)
        locked = _lock(file)
        # A driver removes its lock file as it ends: a lock on a file that is gone locks nothing.
        if locked and _is_at(file, path):
            _sign(file)
            return file
        file.close()
        if not locked and time.monotonic() >= deadline:
            raise FaninError(
                f"Another fanin {_signature(path)}writes to {store}.",
                fix="wait until it has ended, or give --store another file",
            )
        time.sleep(_PAUSE)


def release(file: FileIO) -> None:
    """Remove a lock that `acquire` returned; again does nothing."""
    if file.closed:
        return
    if sys.platform == "win32":
        file.close()
    with suppress(OSError):
        Path(os.fsdecode(file.name)).unlink()
    file.close()


def _open(path: Path, store: Path) -> FileIO:
    try:
        return FileIO(path, "a+")
    except OSError as error:
        raise explain_os(error, store, "written") from error


if sys.platform == "win32":
    import msvcrt

    def _lock(file: FileIO) -> bool:
        try:
            # Far behind the text, so that others can read who holds it.
            file.seek(1 << 20)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _lock(file: FileIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _is_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _sign(file: FileIO) -> None:
    # Only for the message to others: a full disk must not stop it.
    with suppress(OSError):
        file.truncate(0)
        file.write(str(os.getpid()).encode())


def _signature(path: Path) -> str:
    try:
        pid = path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
    return f"(process {pid}) " if pid.isdigit() else ""
