"""Telling the user's own code from Python's and from installed packages."""

from __future__ import annotations

import re
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
    if isinstance(error, SyntaxError) and error.filename and error.text:
        return f"\n  {error.filename}:{error.lineno}: {error.text.strip()}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not installed(frame.filename)]
    return f"\n  {own[-1].filename}:{own[-1].lineno}: {own[-1].line}" if own else ""


def own_place(error: BaseException) -> tuple[str, int]:
    """Return file and line of the user's own code that raised; "", 0 where none did."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [(frame.filename, frame.lineno or 0) for frame in frames if not installed(frame.filename)]
    return own[-1] if own else ("", 0)


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_WHERE = re.compile(r"Exception encountered when calling .*")  # Keras says first where, then what


def first_line(error: BaseException) -> str:
    r"""Return the first line of an error's message that says something, or its type.

    Example:
        >>> first_line(ValueError("Exception encountered when calling Dense.call().\n\n  Too small.\n"))
        'Too small.'
    """
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    lines = [line.strip() for line in _COLOURS.sub("", text).splitlines() if line.strip()]
    return next((line for line in lines if not _WHERE.fullmatch(line)), type(error).__name__)
