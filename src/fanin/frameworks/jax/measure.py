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
from fanin.frameworks.jax.graph.trace import Call, program
from fanin.frameworks.jax.watching import End, ends_of, run
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
        self.ends = {
            number: end
            for number, end in ends_of(closed, [leaf.name for leaf in call.leaves]).items()
            if jnp.issubdtype(end.dtype, jnp.floating)
        }
        self.trained = [
            n for n, leaf in enumerate(call.leaves) if leaf.trainable and _is_floating(leaf.value.dtype)
        ]
        self._forward = jax.jit(_forward(closed, self.ends, self.trained))
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
        zeros = {end.name: jnp.zeros(end.shape, end.dtype) for end in self.ends.values()}
        outputs, pullback, seen = self._forward(trained, zeros, list(values), inputs)
        starts = [jnp.asarray(cotangent(self.loss, np.asarray(y), random), y.dtype) for y in outputs]
        of_parameters, of_layers = self._backward(pullback, starts)
        layers = tuple(self._layer(end, seen[end.name], of_layers[end.name]) for end in self.ends.values())
        parameters = tuple(
            (self.call.leaves[n].name, tuple(values[n].shape), _square(values[n]), _square(gradient))
            for n, gradient in zip(self.trained, of_parameters, strict=True)
        )
        return Reading(layers, parameters)

    def _drawn(self, inputs: Any, array: Any, random: np.random.Generator) -> Any:
        values = drawn(inputs, random, channel=-1, vocabulary=self.vocabulary)
        return jnp.asarray(values, array.dtype)

    def _layer(self, end: End, value: Any, gradient: Any) -> LayerReading:
        examples = self.given.examples
        outputs, back = (moments_of(np.asarray(x), examples) for x in (value, gradient))
        return LayerReading(end.name, end.type, end.shape, outputs, back)


def _forward(closed: Any, ends: dict[int, End], trained: list[int]) -> Callable[..., Any]:
    """Return a function of parameters, zeros, variables, inputs: outputs, pullback, outputs of layers."""

    def forward(parameters: Values, zeros: dict[str, Any], values: Values, inputs: Values) -> Any:
        def outputs_of(parameters: Values, zeros: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
            filled, seen = list(values), {}
            for place, value in zip(trained, parameters, strict=True):
                filled[place] = value

            def change(number: int, value: Any) -> Any:
                if number in ends:
                    seen[ends[number].name] = value
                    return value + zeros[ends[number].name]
                return value

            outputs = run(closed, [*filled, *inputs], change)
            return [y for y in outputs if _is_floating(y.dtype)], seen

        return jax.vjp(outputs_of, parameters, zeros, has_aux=True)

    return forward


def _is_floating(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.floating))


def _square(array: Any) -> float:
    return float(np.mean(np.square(np.asarray(array).astype(np.float64))))
