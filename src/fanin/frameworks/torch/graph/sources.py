"""Where in a model, and in whose code, an operation stands."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import torch
from torch import fx, nn

from fanin.graph.signal import Source

_FRAME = re.compile(r'File "([^"]+)", line (\d+), in ')
_NOT_THE_USERS = (f"{Path(torch.__file__).parent}/", f"{Path(__file__).parent}/", "<")


class Paths:
    """Paths of the modules of a model that is traced as a part of another module.

    Args:
        model: The model.
        prefix: Where it stands in the module that is traced.
    """

    def __init__(self, model: nn.Module, prefix: str) -> None:
        self.prefix = prefix
        first: dict[nn.Module, str] = {}
        self._first = {
            path: first.setdefault(module, path)
            for path, module in model.named_modules(remove_duplicate=False)
        }

    def calls(self, node: fx.Node) -> list[tuple[str, str, str]]:
        """Return the calls of modules that an operation is made in, the outermost first.

        Returns:
            For each call what tells it from others, the module's first path and its type.
        """
        calls = []
        for key, (full, kind) in (node.meta.get("nn_module_stack") or {}).items():
            path = full.removeprefix(self.prefix).removeprefix(".")
            if full.startswith(self.prefix) and path in self._first:
                name = kind if isinstance(kind, str) else kind.__name__
                calls.append((key, self._first[path], name.rpartition(".")[2]))
        return calls

    def source(self, node: fx.Node) -> Source:
        """Return the innermost module of an operation, and the user's line."""
        calls = self.calls(node)
        path, kind = calls[-1][1:] if calls else ("", "")
        return Source(path, kind, *line_of(node))


def line_of(node: fx.Node) -> tuple[str, int]:
    """Return file and line of the user's code that an operation comes from."""
    return _line(node.meta.get("stack_trace") or "")


@functools.lru_cache(maxsize=4096)
def _line(trace: str) -> tuple[str, int]:
    """Return the innermost line of a traceback that is neither PyTorch's nor fanin's own."""
    for file, line in reversed(_FRAME.findall(trace)):
        if not file.startswith(_NOT_THE_USERS):
            return file, int(line)
    return "", 0
