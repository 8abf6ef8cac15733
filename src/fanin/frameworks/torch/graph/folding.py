"""Operations whose operands are all known, computed as PyTorch computes them."""

from __future__ import annotations

from typing import Any

import torch

_UNTOUCHED = ("aten.empty", "aten.new_empty", "aten.empty_like", "aten.empty_strided", "aten.empty_permuted")


def is_random(target: Any) -> bool:
    """Return whether an operator's results depend on a seed."""
    return torch.Tag.nondeterministic_seeded in getattr(target, "tags", ())


@torch.no_grad()
def folded(target: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Return what an operator returns for known tensors, on the CPU.

    Args:
        target: One of PyTorch's operators.
        args: Its arguments.
        kwargs: Its arguments by name.
    """
    cpu = torch.device("cpu")
    args = [cpu if isinstance(arg, torch.device) else arg for arg in args]
    kwargs = {name: cpu if isinstance(arg, torch.device) else arg for name, arg in kwargs.items()}
    kwargs.pop("pin_memory", None)
    result = target(*args, **kwargs)
    if str(target).rpartition(".")[0] in _UNTOUCHED:
        result.zero_()  # so that what nobody fills is the same at each run
    return result
