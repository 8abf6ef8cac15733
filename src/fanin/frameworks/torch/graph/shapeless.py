"""Operators that do not say which shapes they return: they are tried on zeros."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch._library.custom_ops import OPDEFS
from torch._subclasses.fake_tensor import UnsupportedOperatorException
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_map

_MOST = 16
"""So many operators of a model may be without shapes."""

_UNSAID = re.compile(r"no fake impl registered for <CustomOpDef\(([^)]+)\)>")


def with_shapes_found(export: Callable[[], Any]) -> Any:
    """Return what a function exports, told the shapes of operators that do not say them.

    Args:
        export: Raises PyTorch's error for an operator without shapes; it is called again once they are told.
    """
    with contextlib.ExitStack() as told:
        for _ in range(_MOST):
            try:
                return export()
            except Exception as error:  # PyTorch wraps it in several ways
                name = missing(error)
                if not name:
                    raise
                told.enter_context(_tried(name))
        return export()


def missing(error: BaseException | None) -> str:
    """Return the name of the operator that an error says has no shapes, "" where it says something else."""
    while error is not None:
        operator, said = getattr(error, "func", None), _UNSAID.search(str(error))
        if isinstance(error, UnsupportedOperatorException) and isinstance(operator, torch._ops.OpOverload):
            return operator._schema.name
        if said:
            return said[1]
        error = error.__cause__ or error.__context__
    return ""


@contextlib.contextmanager
def _tried(name: str) -> Iterator[None]:
    """Let an operator say the shapes that it returns for zeros, on the CPU."""
    space, _, short = name.partition("::")
    operator = getattr(getattr(torch.ops, space), short)

    def shapes(*args: Any, **kwargs: Any) -> Any:
        with _disable_current_modes(), torch.device("cpu"):
            zeros, named = tree_map(_zeros, (args, kwargs))
            results = operator(*zeros, **named)
        return tree_map(lambda one: _like(one, args), results)

    if name in OPDEFS:
        OPDEFS[name]._abstract_fn = shapes
        try:
            yield
        finally:
            OPDEFS[name]._abstract_fn = None
        return
    library = torch.library.Library(space, "FRAGMENT")
    try:
        torch.library.register_fake(name, shapes, lib=library)
        yield
    finally:
        library._destroy()


def _zeros(argument: Any) -> Any:
    if not isinstance(argument, torch.Tensor):
        return argument
    return torch.zeros([int(size) for size in argument.shape], dtype=argument.dtype)


def _like(result: Any, args: Any) -> Any:
    if not isinstance(result, torch.Tensor):
        return result
    device = next((arg.device for arg in args if isinstance(arg, torch.Tensor)), result.device)
    return torch.empty(result.shape, dtype=result.dtype, device=device)
