"""One training run of a Keras model as a pure function: what `fit` does, ready to be vectorized."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from fanin.frameworks.jax.cpu import for_cpu
from fanin.frameworks.jax.devices import is_cpu
from fanin.frameworks.keras.build import compiled_with
from fanin.frameworks.keras.logs import logged_names, metric_results
from fanin.frameworks.training import Data, Recipe

State = tuple[list[Any], list[Any], list[Any]]
"""Values of the trainable, the non-trainable and the optimizer's variables."""

_EVAL_ROWS = 512


def shared_inputs(data: Data, recipe: Recipe) -> dict[str, Any]:
    """Return the arrays that all runs share: training data with weights, and evaluation data."""
    weights = sample_weights(data.y_train, recipe.class_weight)
    train = (data.x_train, data.y_train) if weights is None else (data.x_train, data.y_train, weights)
    test = () if data.x_test is None else (data.x_test, data.y_test)
    return {"train": train, "test": test}


def sample_weights(y: Any, class_weight: Mapping[int, float] | None) -> np.ndarray | None:
    """Return the weight of each example, as `fit` derives it from the weights of the classes.

    Args:
        y: Integer labels, (examples,) or (examples, 1), or one-hot labels, (examples, classes).
        class_weight: Weight of each class; classes that are not named weigh 1.
    """
    if class_weight is None:
        return None
    labels = np.asarray(y)
    classes = labels.argmax(-1) if labels.ndim > 1 and labels.shape[-1] > 1 else labels.reshape(len(labels))
    return np.array([class_weight.get(int(c), 1.0) for c in classes], np.float32)


class Program:
    """The training of one model, many runs side by side: `run` advances them by some epochs.

    Only what happens in a step is vectorized. The loops over steps and epochs are the same for all runs,
    so JAX need not work out which of their variables differ from run to run.

    Args:
        model: A compiled model with all of its state made (see `build`).
        data: What it is trained and evaluated on.
        recipe: Epochs, batch size and class weights.
    """

    def __init__(self, model: keras.Model, data: Data, recipe: Recipe) -> None:
        self.model = model
        self.batch_size = recipe.batch_size
        self.epochs = recipe.epochs
        self.eval_batch = _eval_batch(model, data, recipe)
        self.fresh_metrics = [variable.value for variable in model.metrics_variables]
        self.evaluates = data.x_test is not None
        names = logged_names(model)
        self.log_names = names + [f"val_{name}" for name in names if self.evaluates]

    def run(self, own: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
        """Advance runs from epoch `start` to epoch `stop`.

        Args:
            own: "state" (see `State`), "order" (epochs, examples) and "logs" (name to (epochs,)), each
                with a leading axis of runs.
            shared: "train", "test", and the bounds "start" and "stop".

        Returns:
            The same as `own`, with the states after the epochs and their logs filled in.
        """

        def epoch(i: Any, carry: tuple[State, dict[str, Any]]) -> tuple[State, dict[str, Any]]:
            state, logs = carry
            order = jax.lax.dynamic_index_in_dim(own["order"], i, axis=1, keepdims=False)
            state, values = self._epoch(state, order, shared)
            put = jax.lax.dynamic_update_index_in_dim
            return state, {name: put(logs[name], values[name], i, 1) for name in logs}

        state, logs = jax.lax.fori_loop(shared["start"], shared["stop"], epoch, (own["state"], own["logs"]))
        return {"state": state, "order": own["order"], "logs": logs}

    def _epoch(self, state: State, order: Any, shared: dict[str, Any]) -> tuple[State, dict[str, Any]]:
        def step(carry: Any, rows: Any) -> Any:
            return self.model.train_step(carry, _rows(shared["train"], rows))[1]

        metrics = self._fresh_metrics(len(order))
        carry = _over_batches(_vectorized(step), (*state, metrics), order, self.batch_size)
        state, logs = carry[:3], self._results(carry[3])
        if self.evaluates:
            state, values = self._evaluate(state, metrics, shared["test"], runs=len(order))
            logs |= {f"val_{name}": value for name, value in values.items()}
        return state, logs

    def _evaluate(
        self, state: State, metrics: list[Any], test: Any, *, runs: int
    ) -> tuple[State, dict[str, Any]]:
        def step(carry: Any, rows: Any) -> Any:
            return self.model.test_step(carry, _rows(test, rows))[1]

        # Each run takes its own copy of the rows. A product of shared rows with the kernels of all runs
        # would be a single one, but its result had to be sorted by run, which takes longer.
        count = len(jax.tree.leaves(test)[0])
        rows = jnp.broadcast_to(np.arange(count, dtype=np.int32), (runs, count))
        trainable, fixed, optimizer = state
        carry = (trainable, fixed, metrics)
        trainable, fixed, metrics = _over_batches(_vectorized(step), carry, rows, self.eval_batch)
        return (trainable, fixed, optimizer), self._results(metrics)

    def _fresh_metrics(self, runs: int) -> list[Any]:
        return [jnp.broadcast_to(value, (runs, *value.shape)) for value in self.fresh_metrics]

    def _results(self, metrics_variables: list[Any]) -> dict[str, Any]:
        results = jax.vmap(lambda values: metric_results(self.model, values))(metrics_variables)
        return {name: jnp.asarray(value, jnp.float32) for name, value in results.items()}


def _vectorized(step: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return jax.vmap(for_cpu(step) if is_cpu() else step)


def _rows(arrays: Any, rows: Any) -> Any:
    """Return some rows of every array; the indices are our own, so nothing checks them."""
    return jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds"), arrays)


def _over_batches(step: Callable[[Any, Any], Any], carry: Any, rows: Any, size: int) -> Any:
    """Apply a step to every full batch of rows (..., rows), then to the short batch that is left."""
    full, rest = divmod(rows.shape[-1], size)
    if full > 1:
        batches = rows[..., : full * size].reshape(*rows.shape[:-1], full, size)
        carry, _ = jax.lax.scan(lambda c, r: (step(c, r), None), carry, jnp.moveaxis(batches, -2, 0))
    elif full == 1:
        carry = step(carry, rows[..., :size])
    return step(carry, rows[..., full * size :]) if rest else carry


def _eval_batch(model: keras.Model, data: Data, recipe: Recipe) -> int:
    """Return how many rows to evaluate at once.

    `fit` evaluates in training batches. Where every row counts by itself, larger batches give the
    same means: fewer steps, and no short batch to compile.
    """
    if data.x_test is None or not _rows_are_independent(model):
        return recipe.batch_size
    rows = len(jax.tree.leaves(data.x_test)[0])
    divisors = [size for size in range(recipe.batch_size, min(rows, _EVAL_ROWS) + 1) if rows % size == 0]
    return max(divisors, default=recipe.batch_size)


def _rows_are_independent(model: keras.Model) -> bool:
    """Return whether Keras made every layer, loss and metric, and the loss is a mean over rows."""
    own = compiled_with(model)
    losses = keras.tree.flatten(own["loss"])
    if any(getattr(loss, "reduction", "mean") not in ("mean", "sum_over_batch_size") for loss in losses):
        return False
    metrics = keras.tree.flatten([own["metrics"], own["weighted_metrics"]])
    parts = [*model._flatten_layers(include_self=False), *losses, *metrics]
    return all(
        part is None or isinstance(part, str) or type(part).__module__.startswith("keras.") for part in parts
    )
