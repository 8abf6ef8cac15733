"""Keras' own names for optimizers, losses and metrics, checked before a model is compiled with them."""

from __future__ import annotations

from typing import Any

import keras

from fanin.errors import FaninError, nearest

# `compile` understands these itself.
_METRICS = ("accuracy", "acc", "crossentropy", "ce")


def known_name(kind: str, item: Any) -> Any:
    """Return an optimizer, a loss or a metric, ready to compile a model with.

    Optimizers and metrics carry state, so each model gets a copy of its own; names are left to Keras.

    Args:
        kind: "optimizer", "loss" or "metric".
        item: A name, a function, or an object of Keras; None stays None.

    Raises:
        FaninError: Keras has nothing of that name; near ones are offered.

    Example:
        >>> known_name("loss", "mse")
        'mse'
    """
    module = {"optimizer": keras.optimizers, "loss": keras.losses, "metric": keras.metrics}[kind]
    if not isinstance(item, str):
        stateful = kind != "loss" and hasattr(item, "get_config")
        return type(item).from_config(item.get_config()) if stateful else item
    if kind == "metric" and item in _METRICS:
        return item
    try:
        module.get(item)
    except (ValueError, TypeError) as error:  # a TypeError where one of Keras' needs arguments
        names = [name for name in [*dir(module), *_METRICS] if not name.startswith("_")]
        near = nearest(item, names)
        raise FaninError(
            f"Keras cannot make the {kind} {item!r}.",
            expected="a name that Keras knows, or in Python an object",
            fix=f"did you mean {near}?" if near else "",
        ) from error
    return item
