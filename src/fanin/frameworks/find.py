"""The framework that a model belongs to, found by its type; no framework is imported for it."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from fanin.errors import FaninError

_JAX = "fanin.frameworks.jax.apply"
_HOMES = {
    "torch": "fanin.frameworks.torch.apply",
    "keras": "fanin.frameworks.keras.apply",
    "equinox": _JAX,
    "nnx": _JAX,
    "linen": _JAX,
    "jax": _JAX,
}
_EXPECTED = "a model of PyTorch, Keras, Flax or Equinox, or a pytree of JAX arrays"


def framework_of(model: Any) -> str:
    """Return the name of a model's framework: torch, keras, equinox, nnx, linen, or jax for a pytree.

    Raises:
        FaninError: It is no model of a framework that fanin knows.

    Example:
        >>> framework_of(3)
        Traceback (most recent call last):
        fanin.errors.FaninError: A value of type int is no model.
          expected: a model of PyTorch, Keras, Flax or Equinox, or a pytree of JAX arrays
    """
    found = _framework(model)
    if found is None:
        what = f"A value of type {type(model).__name__} is no model."
        if isinstance(model, type) or callable(model):
            what = f"{getattr(model, '__name__', model)} is a {type(model).__name__}, not a model."
        raise FaninError(what, expected=_EXPECTED)
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
        found = _of_class(kind.__name__, kind.__module__)
        if found:
            return found
    jax = sys.modules.get("jax")
    if jax is None or not isinstance(thing, dict | list | tuple):
        return None
    return "jax" if any(hasattr(leaf, "dtype") for leaf in jax.tree.leaves(thing)) else None


def _of_class(name: str, module: str) -> str | None:
    if name == "Module":
        for library in ("torch.nn", "equinox", "flax.nnx", "flax.linen"):
            if module.startswith(library):
                return {"torch.nn": "torch"}.get(library, library.rpartition(".")[2])
    return "keras" if name == "Model" and module.startswith("keras.") else None
