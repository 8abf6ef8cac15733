"""The framework that a model belongs to, found by its type; no framework is imported for it."""

from __future__ import annotations

import importlib
from typing import Any

from fanin.errors import FaninError

_HOMES = {"torch": "fanin.frameworks.torch.apply", "keras": "fanin.frameworks.keras.apply"}


def framework_of(model: Any) -> str:
    """Return the name of a model's framework.

    Raises:
        FaninError: It is no model of a framework that fanin knows.

    Example:
        >>> framework_of(3)
        Traceback (most recent call last):
        fanin.errors.FaninError: A value of type int is no model.
          expected: a torch.nn.Module or a keras.Model
    """
    found = _framework(model)
    if found is None:
        what = f"A value of type {type(model).__name__} is no model."
        if isinstance(model, type) or callable(model):
            what = f"{getattr(model, '__name__', model)} is a {type(model).__name__}, not a model."
        raise FaninError(what, expected="a torch.nn.Module or a keras.Model")
    return found


def is_model(thing: Any) -> bool:
    """Return whether something is a model of a framework that fanin knows."""
    return _framework(thing) is not None


def front_end(model: Any) -> Any:
    """Return the module with the `inventory` and the `apply_plan` of a model's framework.

    Raises:
        FaninError: It is no model of a framework that fanin knows.
    """
    return importlib.import_module(_HOMES[framework_of(model)])


def _framework(thing: Any) -> str | None:
    for kind in type(thing).__mro__:
        root, _, rest = kind.__module__.partition(".")
        if root == "torch" and rest.startswith("nn") and kind.__name__ == "Module":
            return root
        if root == "keras" and kind.__name__ == "Model":
            return root
    return None
