"""When two models are the same function of their variables, so that one program trains both."""

from __future__ import annotations

import re
from typing import Any

import jax
import keras
import numpy as np

from fanin.frameworks.training import Data

_ADDRESS = re.compile(r"0x[0-9a-f]+")


def signature(model: keras.Model, data: Data, batch_size: int) -> str:
    """Return a text that is equal for models that compute the same from the same variables.

    It is the traced training call, with its constants, and what is done to the variables outside of it
    (constraints, the split into trainable and not).
    """
    traced = traced_call(model, data, batch_size)
    constants = [np.asarray(c).tobytes() for c in traced.consts]
    constraints = [str(v.constraint and v.constraint.get_config()) for v in model.variables]
    return repr((_ADDRESS.sub("", str(traced)), constants, constraints))


def traced_call(model: keras.Model, data: Data, batch_size: int) -> Any:
    """Return the model's training call on one batch as a closed jaxpr."""
    batch = jax.tree.map(lambda a: np.asarray(a[:batch_size]), data.x_train)
    values = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
    training = {"training": True} if model._call_has_training_arg else {}  # as Keras' own trainer asks

    def call(trainable: Any, fixed: Any, x: Any) -> Any:
        return model.stateless_call(trainable, fixed, x, return_losses=True, **training)

    return jax.make_jaxpr(call)(*values, batch)
