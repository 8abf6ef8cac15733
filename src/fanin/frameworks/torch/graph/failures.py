"""Why a model cannot be traced, in one message."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

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
    kind, said, where = type(error).__name__, first_line(error), _where(error)
    name, at = type(model).__name__, f" at {where}" if where else ""
    if "DataDependent" in kind or "data-dependent" in said or "Could not guard" in said:
        return FaninError(
            f"What {name} does depends on values{at}.",
            expected="a model that does the same for all inputs of one shape",
            fix="torch.where, or a mask, in the place of a Python if, a loop or .item()",
        )
    if "DynamicOutputShape" in kind or "dynamic shape" in said:
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
        return FaninError(
            f"{name} leaves PyTorch{at}.", expected="PyTorch's operations in the place of NumPy's"
        )
    what = f"{name} fails when it is called{at}: {kind}: {said}"
    if "Long, Int" in said:
        return FaninError(what, expected="ids", fix="torch.zeros(shape, dtype=torch.long)")
    return FaninError(what, expected="inputs that the model takes")


def _where(error: BaseException) -> str:
    """Return file and line of the model's own code that an error comes from."""
    found = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_TORCH, _OWN, "<"))
    ]
    return found[-1] if found else ""
