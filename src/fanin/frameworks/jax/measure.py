"""What really goes through a JAX model: its program with zeros added to every layer's output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fanin.errors import users_code
from fanin.frameworks.cotangents import cotangent
from fanin.frameworks.given import Given
from fanin.frameworks.jax.ends import End, ends_of
from fanin.frameworks.jax.graph.trace import Call, program
from fanin.frameworks.jax.watching import run
from fanin.frameworks.readings import LayerReading, Reading, averaged, moments_of
from fanin.frameworks.sampling import drawn

Values = Sequence[Any]


class Reader:
    """Runs a model forward and backward and reads its signals; the program is compiled once.

    Args:
        call: The model with its inputs.
        given: The inputs.
        loss: What the gradients are of.
        batches: How many batches to take the mean over.
        vocabulary: How many tokens there are where an input does not say.
    """

    def __init__(self, call: Call, given: Given, *, loss: str | None, batches: int, vocabulary: int) -> None:
        self.call, self.given, self.loss = call, given, loss
        self.batches, self.vocabulary = batches, vocabulary
        closed = program(call)
        names = [leaf.name for leaf in call.leaves]
        self.ends = [end for end in ends_of(closed, names) if _is_floating(end.dtype)]
        self.trained = [
            n for n, leaf in enumerate(call.leaves) if leaf.trainable and _is_floating(leaf.value.dtype)
        ]
        self._forward = jax.jit(_forward(closed, self.trained))
        self._backward = jax.jit(lambda pullback, starts: pullback(starts))

    def read(self, values: Values, seed: int) -> Reading:
        """Return what a network does, the mean of all batches.

        Args:
            values: The variables of the network, in the order of the call's leaves.
            seed: Of inputs and targets.
        """
        with users_code(f"{self.call.name} fails"):
            return averaged([self._read(values, (seed, n)) for n in range(self.batches)])

    def _read(self, values: Values, seed: tuple[int, int]) -> Reading:
        random = np.random.default_rng(seed)
        inputs = [
            self._drawn(one, array, random) for one, array in zip(self.given, self.call.arrays, strict=True)
        ]
        trained = [values[n] for n in self.trained]
        zeros = {end.number: jnp.zeros(end.whole, end.dtype) for end in self.ends}
        outputs, pullback, seen = self._forward(trained, zeros, list(values), inputs)
        starts = [jnp.asarray(cotangent(self.loss, np.asarray(y), random), y.dtype) for y in outputs]
        of_parameters, of_layers = self._backward(pullback, starts)
        layers = tuple(self._layer(end, seen[end.number], of_layers[end.number]) for end in self.ends)
        parameters = tuple(
            (self.call.leaves[n].name, tuple(values[n].shape), _square(values[n]), _square(gradient))
            for n, gradient in zip(self.trained, of_parameters, strict=True)
        )
        return Reading(layers, parameters)

    def _drawn(self, inputs: Any, array: Any, random: np.random.Generator) -> Any:
        values = drawn(inputs, random, channel=-1, vocabulary=self.vocabulary)
        return jnp.asarray(values, array.dtype)

    def _layer(self, end: End, value: Any, gradient: Any) -> LayerReading:
        own = [np.asarray(end.of(x)) for x in (value, gradient)]
        # Steps after the examples, which are looked for in the first axes.
        over = range(end.over)
        outputs, back = (
            moments_of(np.moveaxis(x, over, range(-end.over, 0)), self.given.examples) for x in own
        )
        return LayerReading(end.name, end.type, own[0].shape, outputs, back)


def _forward(closed: Any, trained: list[int]) -> Callable[..., Any]:
    """Return a function of parameters, zeros, variables, inputs: outputs, pullback, outputs of layers."""

    def forward(parameters: Values, zeros: dict[int, Any], values: Values, inputs: Values) -> Any:
        def outputs_of(parameters: Values, zeros: dict[int, Any]) -> tuple[list[Any], dict[int, Any]]:
            filled = list(values)
            for place, value in zip(trained, parameters, strict=True):
                filled[place] = value
            outputs, seen = run(closed, [*filled, *inputs], zeros)
            return [y for y in outputs if _is_floating(y.dtype)], seen

        return jax.vjp(outputs_of, parameters, zeros, has_aux=True)

    return forward


def _is_floating(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.floating))


def _square(array: Any) -> float:
    return float(np.mean(np.square(np.asarray(array).astype(np.float64))))
