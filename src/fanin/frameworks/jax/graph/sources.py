"""Where in the user's files an equation of a jaxpr comes from, and which program is a library's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fanin

_LIBRARIES = ("site-packages", "dist-packages", str(Path(fanin.__file__).parent), "<frozen")


def line_of(equation: Any) -> tuple[str, int]:
    """Return file and line of the user's innermost call that made an equation, ("", 0) for none."""
    traceback = equation.source_info.traceback
    for frame in getattr(traceback, "frames", ()):
        if not _is_library(frame.file_name):
            return frame.file_name, frame.line_num
    return "", 0


def is_librarys(program: Any) -> bool:
    """Return whether a program that is called is a function of a library.

    JAX traces these once: their equations name the line of the first call, whoever calls them later.
    """
    told = getattr(getattr(program, "debug_info", None), "func_src_info", None) or ""
    return _is_library(str(told))


def _is_library(file: str) -> bool:
    return any(place in file for place in _LIBRARIES)
