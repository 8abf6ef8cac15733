"""What a compiled model logs: the loss and its metrics, by name."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def metric_results(model: keras.Model, values: list[Any]) -> dict[str, Any]:
    """Return the results of a model's metrics from values of its metric variables, as a pure function."""
    mapping = list(zip(model.metrics_variables, values, strict=True))
    with keras.StatelessScope(state_mapping=mapping):
        return model.get_metrics_result()


def logged_names(model: keras.Model) -> list[str]:
    """Return the names of a model's scalar results, in the order of `fit`'s history.

    Results that are not scalars (an F1 score for each class) are left out: they cannot rank runs.
    """
    if keras.backend.backend() == "jax":
        import jax

        results = jax.eval_shape(
            lambda v: metric_results(model, v), [v.value for v in model.metrics_variables]
        )
    else:
        results = model.get_metrics_result()
    return [name for name, value in results.items() if np.ndim(value) == 0]
