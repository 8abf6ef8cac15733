"""Which backend Keras computes with: chosen before Keras is first imported."""

from __future__ import annotations

import importlib.util
import os
import sys

from fanin.errors import FaninError, missing_extra

BACKENDS = ("jax", "tensorflow", "torch")


def use_backend(name: str = "jax") -> None:
    """Make Keras compute with a backend; Keras itself is not imported here.

    It also holds for models that come in through `tensorflow.keras`, which is the same Keras.

    Args:
        name: "jax", "tensorflow" or "torch".

    Raises:
        FaninError: Keras, or the backend, is not installed, or Keras already runs on another backend.
    """
    _need("keras", "keras")
    _need(name, {"jax": "jax", "torch": "torch"}.get(name, ""))
    loaded = sys.modules.get("keras")
    if loaded is not None and loaded.backend.backend() != name:
        raise FaninError(
            f"Keras already runs on {loaded.backend.backend()}; it cannot change to {name} in one process.",
            fix=f"call fanin before importing keras, or set KERAS_BACKEND={name}",
        )
    os.environ["KERAS_BACKEND"] = name
    if name == "jax":
        from fanin.frameworks.jax.devices import use_all_cores

        use_all_cores()


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
