"""Telling the user's own code from Python's and from installed packages."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_INSTALLED = tuple(str(Path(sysconfig.get_path(name)).resolve()) for name in ("purelib", "platlib", "stdlib"))
_FANIN = str(Path(__file__).resolve().parent)


def installed(path: str) -> bool:
    """Return whether a source file belongs to Python, to an installed package or to fanin.

    Example:
        >>> import json
        >>> installed(json.__file__)
        True
    """
    return path.startswith("<") or str(Path(path).resolve()).startswith((*_INSTALLED, _FANIN))


def own_line(error: BaseException) -> str:
    """Return the line of the user's own code that raised, as an indented second line, or nothing."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not installed(frame.filename)]
    return f"\n  {own[-1].filename}:{own[-1].lineno}: {own[-1].line}" if own else ""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that says something, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
