"""A forward and a backward pass with the values of layers looked at, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from fanin.frameworks.jax.checking.losses import Objective
from fanin.frameworks.jax.checking.places import At
from fanin.frameworks.jax.checking.running import Running
from fanin.frameworks.jax.checking.watched import Watching
from fanin.frameworks.units import Array


@dataclass(frozen=True, eq=False)
class Passed:
    """What one pass through a model left.

    Args:
        loss: The loss.
        output: The output that it takes.
        values: Those that are looked at, by where they are made.
        back: Gradients with respect to those of layers.
        gradients: Of the parameters that are trained.
    """

    loss: float
    output: Array
    values: dict[At, Array]
    back: dict[At, Array]
    gradients: list[Array]


def run_a_few_times(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function compiled for as few runs as a check makes: on a CPU the compiler takes longer."""
    quick = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=quick)


class Passes:
    """Runs a model and its loss.

    Args:
        closed: The model's program.
        watching: What is looked at.
        objective: The loss.
        main: Which output the loss takes.
        trained: Which of the program's inputs are trained.
    """

    def __init__(
        self, closed: Any, watching: Watching, objective: Objective, main: int, trained: Sequence[int]
    ) -> None:
        self._objective, self._main, self._trained = objective, main, list(trained)
        self._predictions = objective.told.predictions
        self._layers = dict.fromkeys(one.at for one in watching.watched)
        more = {at for one in watching.watched for at in (one.read, one.kernel) if at is not None}
        self._more = {at for at in {*more, self._predictions} if at is not None and at.path}
        self._resting = watching.resting
        wanted = {*self._layers, *self._more, *self._resting, *self._resting.values()}
        self._running = Running(closed, watching.places, wanted)
        self._both = run_a_few_times(self._run)

    def __call__(self, trained: Sequence[Any], arguments: Sequence[Any]) -> Passed:
        """Return what a pass leaves.

        Args:
            trained: Values of the parameters that are trained.
            arguments: All inputs of the program, in whose places these are put.
        """
        loss, output, values, back, gradients = jax.device_get(
            self._both(list(trained), list(arguments), self._objective.target)
        )
        places = [*self._layers, *sorted(self._more - set(self._layers))]
        return Passed(
            float(loss),
            output,
            dict(zip(places, values, strict=True)),
            dict(zip(self._layers, back, strict=True)),
            gradients,
        )

    def _run(self, trained: Sequence[Any], arguments: Sequence[Any], target: Any) -> Any:
        def forward(trained: Sequence[Any], added: dict[At, Any]) -> Any:
            filled = list(arguments)
            for place, value in zip(self._trained, trained, strict=True):
                filled[place] = value
            seen: dict[At, Any] = {}
            used: dict[At, Any] = {}

            def change(at: At, value: Any) -> Any:
                seen[at] = used[self._resting[at]] if at in self._resting else value
                used[at] = seen[at] + added[at] if at in added else seen[at]
                return used[at]

            outputs = self._running(filled, change)
            output = outputs[self._main] if self._predictions is None else used[self._predictions]
            return self._objective.function(outputs, target), (output, seen)

        shapes = jax.eval_shape(lambda: forward(trained, {})[1][1])
        added = {at: jnp.zeros(shapes[at].shape, shapes[at].dtype) for at in self._layers}
        loss, pullback, (output, seen) = jax.vjp(forward, trained, added, has_aux=True)
        gradients, back = pullback(jnp.ones_like(loss))
        places = [*self._layers, *sorted(self._more - set(self._layers))]
        return loss, output, [seen[at] for at in places], [back[at] for at in self._layers], gradients
