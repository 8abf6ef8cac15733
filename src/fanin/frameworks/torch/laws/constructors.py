"""Whether a module's constructor draws by itself, which nothing can repeat afterwards."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import CodeType, FunctionType

from torch import nn
from torch.nn import init

_DRAWING = {name for name in dir(init) if name.endswith("_") and not name.startswith("_")}
_DRAWING |= {"bernoulli_", "copy_", "exponential_", "fill_", "mul_", "zero_"}
_REPEATED = {"reset_parameters", "_reset_parameters", "_init_weights", "init_weights", "forward"}
"""What is run again anyway, and what no constructor runs."""


@functools.cache
def draws_itself(kind: type[nn.Module]) -> bool:
    """Return whether the constructor of a class of modules, not PyTorch's own, fills parameters.

    Its code is read, and that of the methods that it names.

    Example:
        >>> draws_itself(nn.Linear)
        False
    """
    own = [base for base in kind.__mro__ if not base.__module__.startswith("torch.") and base is not object]
    return any(_draws(kind, "__init__", base, {"__init__"}) for base in own)


def _draws(kind: type, name: str, base: type, seen: set[str]) -> bool:
    method = base.__dict__.get(name)
    if not isinstance(method, FunctionType):
        return False
    names = set(_names(method.__code__))
    if names & _DRAWING:
        return True
    others = {
        other for other in names - _REPEATED - seen if isinstance(getattr(kind, other, None), FunctionType)
    }
    seen |= others
    homes = {other: next(b for b in kind.__mro__ if other in b.__dict__) for other in others}
    return any(
        _draws(kind, other, home, seen)
        for other, home in homes.items()
        if not home.__module__.startswith("torch.")
    )


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that some code reads, functions inside of it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
