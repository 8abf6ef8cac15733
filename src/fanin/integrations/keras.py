"""A callback for Keras, on any backend: the model is checked with a batch, before the first step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from fanin.api import diagnose
from fanin.integrations.check import Check

if TYPE_CHECKING:
    from fanin.rules.diagnosis import Diagnosis
    from fanin.rules.finding import Severity


class HealthCheck(keras.callbacks.Callback):
    """Checks a model with a batch when `fit` begins, unless its optimizer has made steps already.

    `fit` shows its batches to no callback, so the data are given here too. Variables and random states are
    what they would be without the check.

    Args:
        x: Inputs, as for `fit`: arrays or tensors.
        y: Targets, as for `fit`.
        loss: What is minimized; by default what the model was compiled with.
        examples: How many of the first examples are looked at.
        fail_on: From which severity on a finding ends the run: "error", "warning", "info", or None for never.
        warn_on: From which severity on findings are told.
        **options: Of `fanin.diagnose`, such as `select` and `ignore`.

    Attributes:
        diagnosis: What was found, once it was looked for.

    Example:
        >>> import numpy as np
        >>> x, y = np.random.default_rng(0).normal(size=(64, 20)), np.arange(64) % 2
        >>> model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(1, activation="sigmoid")])
        >>> model.compile(loss="binary_crossentropy")
        >>> callback = HealthCheck(x, y, fail_on="error")
        >>> _ = model.fit(x, y, callbacks=[callback], verbose=0)
        >>> callback.diagnosis.ok
        True
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        loss: Any = None,
        *,
        examples: int = 128,
        fail_on: Severity | None = None,
        warn_on: Severity | None = "warning",
        **options: Any,
    ) -> None:
        super().__init__()
        self._check = Check(fail_on, warn_on, options)
        self._x, self._y, self._loss, self._examples = x, y, loss, examples
        self.diagnosis: Diagnosis | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Check the model if it is to begin."""
        self.diagnosis = None
        model: Any = self.model
        if int(model.optimizer.iterations):
            return

        def look(**options: Any) -> Diagnosis:
            x, y = (keras.tree.map_structure(self._first, data) for data in (self._x, self._y))
            return diagnose(model, x, y, loss=self._loss, **options)

        self.diagnosis = self._check.run(look)

    def _first(self, values: Any) -> Any:
        return values[: self._examples] if len(getattr(values, "shape", ())) else values
