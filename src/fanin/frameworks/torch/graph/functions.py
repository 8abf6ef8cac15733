"""Functions with gradients of their own, which must not be taken for what they compute forward."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd import Function

OPERATOR = "fanin::function"
"""What stands for such a function in an exported graph."""


@torch.library.custom_op(OPERATOR, mutates_args=())
def _function(result: torch.Tensor, inputs: list[torch.Tensor], name: str) -> torch.Tensor:
    return result.clone()


@_function.register_fake
def _(result: torch.Tensor, inputs: list[torch.Tensor], name: str) -> torch.Tensor:
    return torch.empty_like(result)


@contextlib.contextmanager
def functions_marked() -> Iterator[None]:
    """Let each `torch.autograd.Function` leave a mark where it is applied."""
    original = Function.__dict__["apply"]

    def apply(cls: type[Function], *args: Any, **kwargs: Any) -> Any:
        results = original.__func__(cls, *args, **kwargs)
        read = [arg for arg in args if isinstance(arg, torch.Tensor)]
        if isinstance(results, torch.Tensor):
            return _function(results, read, cls.__name__)
        if isinstance(results, tuple):
            return tuple(
                _function(r, read, cls.__name__) if isinstance(r, torch.Tensor) else r for r in results
            )
        return results

    Function.apply = classmethod(apply)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Function.apply = original
