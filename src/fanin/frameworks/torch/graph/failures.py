"""Why a model cannot be traced, in one message."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fanin.errors import FaninError
from fanin.sources import first_line

_TORCH = str(Path(torch.__file__).parent)
_OWN = str(Path(__file__).parents[3])
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in ')


def failure(model: nn.Module, error: Exception) -> FaninError:
    """Return what kept a model from being traced.

    Args:
        model: The model.
        error: What PyTorch, or the model's own code, raised.
    """
    if isinstance(error, FaninError):
        return error
    name, said = type(model).__name__, first_line(error)
    if (found := _of_tracing(name, error)) is not None:
        return found
    what = f"{name} fails when it is called{_at(error)}: {type(error).__name__}: {said}"
    if "Long, Int" in said:
        return FaninError(what, expected="ids", fix="torch.zeros(shape, dtype=torch.long)")
    return FaninError(what, expected="inputs that the model takes")


def reason(error: Exception) -> str:
    """Return why a part of a model cannot be traced, as what follows its name and a colon."""
    found = _of_tracing("it", error)
    if found is None:
        return f"it cannot be traced{_at(error)}: {type(error).__name__}: {first_line(error)}"
    words = found.what.removesuffix(".")
    return words[0].lower() + words[1:]


def place(error: Exception) -> tuple[str, int]:
    """Return file and line of the model's own code that an error comes from; "", 0 where there is none."""
    file, _, line = _where(error).rpartition(":")
    return file, int(line or 0)


class UnsizedError(Exception):
    """A tensor has a size that only values tell.

    Args:
        tensor: The tensor.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        super().__init__(tuple(tensor.shape))
        self.frames = [frame for size in tensor.shape for frame in _made(size)]


def _made(size: Any) -> Sequence[traceback.FrameSummary]:
    """Return the calls that a size was first met in."""
    node = getattr(size, "node", None)
    stacks = getattr(getattr(node, "shape_env", None), "var_to_stack", {})
    stack = stacks.get(getattr(node, "expr", None))
    return [] if stack is None else stack.summary()


def _of_tracing(name: str, error: Exception) -> FaninError | None:
    """Return what tracing cannot follow, where an error says that."""
    kind, said, at = type(error).__name__, first_line(error), _at(error)
    if "DataDependent" in kind or "data-dependent" in said or "Could not guard" in said:
        return FaninError(
            f"What {name} does depends on values{at}.",
            expected="a model that does the same for all inputs of one shape",
            fix="torch.where, or a mask, in the place of a Python if, a loop or .item()",
        )
    of_size = isinstance(error, UnsizedError) or "DynamicOutputShape" in kind
    if of_size or "dynamic shape" in said:
        return FaninError(
            f"{name} makes a tensor whose size depends on values{at}.",
            expected="shapes that follow from the shapes of the inputs",
            fix="a mask in the place of what selects",
        )
    if "UnsupportedFakeTensor" in kind or "UnsupportedOperator" in kind or "Meta" in said or "fake" in said:
        return FaninError(
            f"{name} uses an operation that says nothing of its shapes{at}: {said}",
            expected="a model on the CPU, where the operation can be tried on zeros",
            fix="torch.library.register_fake for that operation",
        )
    if ".numpy()" in said:
        return FaninError(f"{name} leaves PyTorch{at}.", fix="PyTorch's operations in the place of NumPy's")
    return None


def _at(error: Exception) -> str:
    where = _where(error)
    return f" at {where}" if where else ""


def _where(error: BaseException) -> str:
    """Return file and line of the model's own code that an error comes from."""
    frames = getattr(error, "frames", None) or traceback.extract_tb(error.__traceback__)
    found = [
        f"{frame.filename}:{frame.lineno}"
        for frame in frames
        if not frame.filename.startswith((_TORCH, _OWN, "<"))
    ]
    return found[-1] if found else ""
