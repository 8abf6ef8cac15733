"""A small file system of its own for a piece of Python, unmounted when it ends, however it ends."""

import functools
import os
import shutil
import subprocess
import sys

import pytest

_MOUNT = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && cd "$2" && shift 2 && exec "$@"'


def run_isolated(directory, script, *, size="16m"):
    """Run a script in an empty tmpfs, as its working directory; skip the test where nobody may mount."""
    if not _can_mount():
        pytest.skip("no private file system can be mounted here")
    command = [*_unshare(), "sh", "-c", _MOUNT, "sh", size, str(directory), sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def _unshare():
    return (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
    )


@functools.cache
def _can_mount():
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    trial = [*_unshare(), "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(trial, capture_output=True).returncode == 0
