"""Where in a model, and in whose code, an operation stands."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import torch
from torch import fx

from fanin.graph.signal import Source

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in ')
_NOT_THE_USERS = (f"{Path(torch.__file__).parent}/", f"{Path(__file__).parent}/", "<")


def calls_of(node: fx.Node, drop: str) -> list[tuple[str, str, str]]:
    """Return the calls of modules that an operation is made in, the outermost first.

    Args:
        node: The operation.
        drop: A prefix of paths that is not the model's own.

    Returns:
        For each call what tells it from others, the module's path and its type.
    """
    stack = node.meta.get("nn_module_stack") or {}
    calls = []
    for key, (path, kind) in stack.items():
        if path != drop and not path.startswith(f"{drop}."):
            continue
        name = kind if isinstance(kind, str) else kind.__name__
        calls.append((key, path.removeprefix(drop).removeprefix("."), name.rpartition(".")[2]))
    return calls


def source_of(node: fx.Node, drop: str) -> Source:
    """Return the innermost module of an operation, and the user's line."""
    calls = calls_of(node, drop)
    path, kind = calls[-1][1:] if calls else ("", "")
    file, line = _line(node.meta.get("stack_trace") or "")
    return Source(path, kind, file, line)


@functools.lru_cache(maxsize=4096)
def _line(trace: str) -> tuple[str, int]:
    """Return the innermost line of a traceback that is neither PyTorch's nor fanin's own."""
    for file, line in reversed(_FRAME.findall(trace)):
        if not file.startswith(_NOT_THE_USERS):
            return file, int(line)
    return "", 0
