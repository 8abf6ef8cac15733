"""Weight initialization you can explain, check and prove."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanin.api import compare, gain
    from fanin.errors import FaninError

__version__ = "0.1.0"

_HOMES = {
    "FaninError": "fanin.errors",
    "compare": "fanin.api",
    "gain": "fanin.api",
}

__all__ = ["FaninError", "__version__", "compare", "gain"]


def __getattr__(name: str) -> Any:
    # Nothing heavy is imported until a name is used: `import fanin` stays in the milliseconds.
    if name not in _HOMES:
        raise AttributeError(f"module 'fanin' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
