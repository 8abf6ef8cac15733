"""Weight initialization you can explain, check and prove."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fanin import schemes
    from fanin.api import (
        apply,
        compare,
        critical_line,
        diagnose,
        gain,
        initialize,
        mean_field,
        measure,
        optimizer_groups,
        phase_diagram,
        plan,
        propagate,
        trace,
    )
    from fanin.errors import FaninError
    from fanin.frameworks.inputs import Inputs
    from fanin.graph import roles as role
    from fanin.graph.fans import fans
    from fanin.graph.signal import SignalGraph
    from fanin.rules.diagnosis import Diagnosis, UnhealthyError
    from fanin.schemes import distributions
    from fanin.schemes.decision import keep
    from fanin.schemes.plan import InitPlan
    from fanin.schemes.policy import Policy
    from fanin.schemes.registry import scheme
    from fanin.theory.profile import SignalProfile

__version__ = "0.1.0"

_HOMES = {
    "Diagnosis": "fanin.rules.diagnosis",
    "FaninError": "fanin.errors",
    "InitPlan": "fanin.schemes.plan",
    "Inputs": "fanin.frameworks.inputs",
    "Policy": "fanin.schemes.policy",
    "SignalGraph": "fanin.graph.signal",
    "SignalProfile": "fanin.theory.profile",
    "UnhealthyError": "fanin.rules.diagnosis",
    "apply": "fanin.api",
    "compare": "fanin.api",
    "critical_line": "fanin.api",
    "diagnose": "fanin.api",
    "fans": "fanin.graph.fans",
    "gain": "fanin.api",
    "initialize": "fanin.api",
    "keep": "fanin.schemes.decision",
    "mean_field": "fanin.api",
    "measure": "fanin.api",
    "optimizer_groups": "fanin.api",
    "phase_diagram": "fanin.api",
    "plan": "fanin.api",
    "propagate": "fanin.api",
    "scheme": "fanin.schemes.registry",
    "trace": "fanin.api",
}
_MODULES = {
    "distributions": "fanin.schemes.distributions",
    "role": "fanin.graph.roles",
    "schemes": "fanin.schemes",
}

__all__ = [
    "Diagnosis",
    "FaninError",
    "InitPlan",
    "Inputs",
    "Policy",
    "SignalGraph",
    "SignalProfile",
    "UnhealthyError",
    "__version__",
    "apply",
    "compare",
    "critical_line",
    "diagnose",
    "distributions",
    "fans",
    "gain",
    "initialize",
    "keep",
    "mean_field",
    "measure",
    "optimizer_groups",
    "phase_diagram",
    "plan",
    "propagate",
    "role",
    "scheme",
    "schemes",
    "trace",
]


def __getattr__(name: str) -> Any:
    # Nothing heavy is imported until a name is used: `import fanin` stays in the milliseconds.
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'fanin' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
