"""Many seeds and schemes of one architecture at once, on JAX."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import jax
import keras
import numpy as np

from fanin.frameworks.jax.convolutions import convolves
from fanin.frameworks.jax.devices import is_cpu
from fanin.frameworks.jax.many import Many, layout
from fanin.frameworks.keras.architecture import traced_call
from fanin.frameworks.keras.build import Built
from fanin.frameworks.keras.optimizer import first_states
from fanin.frameworks.keras.program import Program, shared_inputs
from fanin.frameworks.keras.weights import BuilderStart, Start, first_values
from fanin.frameworks.order import data_order
from fanin.frameworks.training import Choice, Data, Recipe, Run
from fanin.sources import first_line

# Weights of several blocks are drawn together: that halves what small arrays cost.
_DRAWN_BYTES = 1 << 22
# A call should be short enough for the progress bar and for Ctrl-C, long enough for its overhead.
_SECONDS_A_CALL = 0.5


class NotVectorizable(Exception):  # noqa: N818  (it is an answer, not an error of the user's)
    """The model cannot be trained many runs at once; the message says why."""


class VectorizedTrainer:
    """Trains runs of one architecture, a block of them in each call.

    Args:
        built: The model whose program is run.
        starts: Where the first weights come from, by choice key.
        data: What is trained and evaluated on.
        recipe: How.
        versions: What to write on each run.
    """

    def __init__(
        self,
        built: Built,
        starts: Mapping[str, Start | BuilderStart],
        data: Data,
        recipe: Recipe,
        versions: Mapping[str, str],
    ) -> None:
        self.starts = starts
        self.data = data
        self.recipe = recipe
        self.versions = versions
        self._shared = shared_inputs(data, recipe)
        self._examples = len(jax.tree.leaves(data.x_train)[0])
        self._split = _splitter(built.model)
        self._epochs_a_call = 1
        self._built = built

    def trace(self, todo: Sequence[tuple[Choice, int]]) -> None:
        """Trace the program for the runs to do.

        Raises:
            NotVectorizable: The model does more than JAX can trace, or replaces what `fit` does.
        """
        why = _replaced_by_user(self._built.model)
        if why:
            raise NotVectorizable(why)
        model = self._built.model
        with _tracing():
            convolving = is_cpu() and convolves(traced_call(model, self.data, self.recipe.batch_size))
        self.program = Program(model, self.data, self.recipe)
        plan = layout(len(todo), state_bytes=_bytes(self._state(self._draw(todo[:1]))), wide=not convolving)
        self._blocks = [todo[i : i + plan.block] for i in range(0, len(todo), plan.block)]
        self._many = Many(self.program.run, plan)
        self._inputs = self._made()
        self._first = next(self._inputs)
        bounds = {"start": np.int32(0), "stop": np.int32(0)}
        with _tracing():
            self._compile = self._many.compile(self._first, {**self._shared, **bounds})

    def train(self) -> Iterator[list[Run]]:
        """Yield the traced runs, block by block."""
        blocks, inputs = self._blocks, self._first
        with ThreadPoolExecutor(1) as background:
            compiling = background.submit(self._compile)
            shared = self._many.share(self._shared)
            compiling.result()
            # While the devices work on a block, the next one's inputs are made and the last one's
            # results are fetched.
            working: tuple[Sequence[tuple[Choice, int]], Any] | None = None
            began = time.perf_counter()
            for block, following in zip(blocks, [*blocks[1:], None], strict=True):
                upcoming = background.submit(next, self._inputs) if following else None
                logs = self._advance(inputs, shared)
                if working:
                    yield self._runs(*working, began)
                    began = time.perf_counter()
                working = block, logs
                inputs = upcoming.result() if upcoming else None
            if working:
                yield self._runs(*working, began)

    def _advance(self, inputs: Any, shared: dict[str, Any]) -> Any:
        """Take a block through all epochs; return its logs, which may still be in the making."""
        own, start = self._many.place(inputs), 0
        while start < self.recipe.epochs:
            stop = min(start + self._epochs_a_call, self.recipe.epochs)
            began = time.perf_counter()
            own = self._many(own, {**shared, "start": np.int32(start), "stop": np.int32(stop)})
            if stop - start < self.recipe.epochs:
                # Long runs go in short calls, for Ctrl-C; the first call of all takes one epoch.
                jax.block_until_ready(own)
                rate = (stop - start) / (time.perf_counter() - began)
                self._epochs_a_call = max(1, int(rate * _SECONDS_A_CALL))
            start = stop
        return own["logs"]

    def _made(self) -> Iterator[dict[str, Any]]:
        """Yield the inputs of one block after the other; the weights of several are drawn together."""
        size = self._many.plan.block
        ahead = max(1, _DRAWN_BYTES // (size * max(_bytes(self._draw(self._blocks[0][:1])), 1)))
        for place in range(0, len(self._blocks), ahead):
            padded = [[*b, *[b[-1]] * (size - len(b))] for b in self._blocks[place : place + ahead]]
            columns = self._draw([run for block in padded for run in block])
            for number, block in enumerate(padded):
                rows = slice(number * size, (number + 1) * size)
                yield self._of_block(block, [column[rows] for column in columns])

    def _of_block(self, block: Sequence[tuple[Choice, int]], columns: list[np.ndarray]) -> dict[str, Any]:
        orders = {
            seed: data_order(seed, self._examples, self.recipe.epochs) for seed in {s for _, s in block}
        }
        empty = np.full((len(block), self.recipe.epochs), np.nan, np.float32)
        return {
            "state": self._state(columns),
            "order": np.stack([orders[seed] for _, seed in block]),
            "logs": {name: empty.copy() for name in self.program.log_names},
        }

    def _draw(self, runs: Sequence[tuple[Choice, int]]) -> list[np.ndarray]:
        """Return the first values of the model's variables, each with a leading axis of runs."""
        return first_values([self.starts[choice.key] for choice, _ in runs], [seed for _, seed in runs])

    def _state(self, columns: list[np.ndarray]) -> Any:
        return *self._split(columns), first_states(self._built, columns)

    def _runs(self, block: Sequence[tuple[Choice, int]], logs: Any, began: float) -> list[Run]:
        curves = {name: np.asarray(values).tolist() for name, values in jax.device_get(logs).items()}
        seconds = (time.perf_counter() - began) / len(block)
        return [
            Run(
                choice.key,
                seed,
                {name: tuple(rows[i]) for name, rows in curves.items()},
                seconds,
                self.versions,
            )
            for i, (choice, seed) in enumerate(block)
        ]


def _bytes(arrays: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(arrays))


@contextmanager
def _tracing() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise NotVectorizable(f"JAX cannot trace it ({type(error).__name__}: {first_line(error)})") from error


def _splitter(model: Any) -> Any:
    """Return a function that splits values of `model.variables` into trainable and other ones."""
    position = {id(v): i for i, v in enumerate(model.variables)}
    trainable = [position[id(v)] for v in model.trainable_variables]
    fixed = [position[id(v)] for v in model.non_trainable_variables]
    return lambda values: ([values[i] for i in trainable], [values[i] for i in fixed])


def _replaced_by_user(model: keras.Model) -> str:
    """Return why this model's own training differs from `fit`'s, or an empty text."""
    names = [
        name
        for name in ("fit", "train_step", "test_step")
        if getattr(type(model), name) is not getattr(keras.Model, name)
    ]
    if names:
        return f"{type(model).__name__} has its own {' and '.join(names)}"
    return "the model is compiled with run_eagerly=True" if model.run_eagerly else ""
