"""A model from what the user names: the model itself, or a function of no arguments that returns it."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from fanin.errors import FaninError, users_code
from fanin.experiments.builders import required
from fanin.experiments.loading import load
from fanin.frameworks.find import is_model


def as_model(thing: Any) -> Any:
    """Return a model.

    Args:
        thing: A model, or "file.py:name" or "package.module:name" of one, or of a function that
            returns one.

    Raises:
        FaninError: The name does not lead to a model, or the function fails or needs arguments.
    """
    if not isinstance(thing, str):
        return thing
    if importlib.util.find_spec("jax") is not None:
        os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras' own default would load TensorFlow
    found = load(thing, what="a function that returns a model")
    if is_model(found) or not callable(found):
        return found
    if needed := required(found):
        names = ", ".join(parameter.name for parameter in needed)
        raise FaninError(
            f"{thing} needs {names}.",
            expected="a function of no arguments that returns a model",
            fix="give its arguments defaults, or wrap it in a function",
        )
    with users_code(f"{thing} fails"):
        return found()
