"""Weight initialization you can explain, check and prove."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanin.api import apply, compare, gain, initialize, plan
    from fanin.errors import FaninError
    from fanin.graph import roles as role
    from fanin.schemes.decision import keep
    from fanin.schemes.plan import InitPlan
    from fanin.schemes.policy import Policy

__version__ = "0.1.0"

_HOMES = {
    "FaninError": "fanin.errors",
    "InitPlan": "fanin.schemes.plan",
    "Policy": "fanin.schemes.policy",
    "apply": "fanin.api",
    "compare": "fanin.api",
    "gain": "fanin.api",
    "initialize": "fanin.api",
    "keep": "fanin.schemes.decision",
    "plan": "fanin.api",
}

__all__ = [
    "FaninError",
    "InitPlan",
    "Policy",
    "__version__",
    "apply",
    "compare",
    "gain",
    "initialize",
    "keep",
    "plan",
    "role",
]


def __getattr__(name: str) -> Any:
    # Nothing heavy is imported until a name is used: `import fanin` stays in the milliseconds.
    if name == "role":
        return importlib.import_module("fanin.graph.roles")
    if name not in _HOMES:
        raise AttributeError(f"module 'fanin' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
