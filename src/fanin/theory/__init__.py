"""What signals do: activations, gains, mean field, propagation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanin.theory.propagation.registry import elementwise, register_rule

__all__ = ["elementwise", "register_rule"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: a gain needs nothing of propagation.
    if name not in __all__:
        raise AttributeError(f"module 'fanin.theory' has no attribute {name!r}")
    return getattr(importlib.import_module("fanin.theory.propagation.registry"), name)
