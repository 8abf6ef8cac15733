"""A pass on PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import keras
import torch

from fanin.frameworks.keras.checking.passes import Passed, Program, Recorder, arrays


def run(program: Program, trained: Sequence[Any], values: Sequence[Any]) -> Passed:
    """Return what a pass leaves.

    Args:
        program: The model and its loss.
        trained: The variables that are trained.
        values: Their values.
    """
    tape, ops = Recorder(), cast(Any, keras.ops)
    given = [
        ops.convert_to_tensor(value, variable.dtype).detach().clone().requires_grad_()
        for value, variable in zip(values, trained, strict=True)
    ]
    with torch.enable_grad():
        loss, output = program(given, tape)
        wanted = [*given, *(one for one in tape.taken if one.requires_grad)]
        found = iter(torch.autograd.grad(loss, wanted, allow_unused=True) if loss.requires_grad else ())
    gradients = [next(found, None) for _ in given]
    back = [next(found, None) if one.requires_grad else None for one in tape.taken]
    (value, seen), (taken, kept) = arrays([loss, output]), map(arrays, (tape.taken, tape.kept))
    return Passed(float(value), seen, taken, arrays(back), kept, arrays(gradients))
