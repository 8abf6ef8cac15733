"""Which backend Keras computes with: chosen before Keras is first imported."""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings

from fanin.errors import FaninError, missing_extra

BACKENDS = ("jax", "tensorflow", "torch")


def use_backend(name: str | None = None) -> str:
    """Make Keras compute with a backend, and return its name; Keras itself is not imported here.

    It also holds for models that come in through `tensorflow.keras`, which is the same Keras.

    Args:
        name: "jax", "tensorflow" or "torch"; None for the one that Keras already runs on, or else jax.

    Raises:
        FaninError: There is no such backend; Keras, or the backend, is not installed; or Keras already
            runs on another one.
    """
    _need("keras", "keras")
    loaded = sys.modules.get("keras")
    running = None if loaded is None else loaded.backend.backend()
    if name is None and running not in (None, "jax"):
        warnings.warn(
            f"Keras already runs on {running}, where runs are trained one after the other. To train them "
            "all at once, set KERAS_BACKEND=jax before Keras is imported.",
            stacklevel=4,
        )
    name = name or running or "jax"
    if name not in BACKENDS:
        raise FaninError(f"There is no backend {name!r}.", expected=f"one of {', '.join(BACKENDS)}")
    _need(name, {"jax": "jax", "torch": "torch"}.get(name, ""))
    if running not in (None, name):
        raise FaninError(
            f"Keras already runs on {running}; it cannot change to {name} in one process.",
            fix=f"call fanin before importing keras, or set KERAS_BACKEND={name}",
        )
    os.environ["KERAS_BACKEND"] = name
    if name == "jax":
        from fanin.frameworks.jax.devices import use_all_cores

        use_all_cores()
    return name


def current_backend() -> str:
    """Return the backend of the imported Keras."""
    import keras

    return keras.backend.backend()


def _need(package: str, extra: str) -> None:
    if importlib.util.find_spec(package) is not None:
        return
    if extra:
        raise missing_extra(package, extra)
    raise FaninError(f"{package} is not installed.", fix=f"pip install {package}")
