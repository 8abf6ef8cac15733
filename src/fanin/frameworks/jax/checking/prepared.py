"""A JAX model with its batch, traced and ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from fanin.frameworks.given import Given
from fanin.frameworks.jax.checking import batch
from fanin.frameworks.jax.checking.passes import run_a_few_times
from fanin.frameworks.jax.checking.places import places_of
from fanin.frameworks.jax.checking.watched import Watching
from fanin.frameworks.jax.graph.signal import call_of
from fanin.frameworks.jax.graph.trace import Call, traced_code
from fanin.frameworks.vitals.inputs import input_of
from fanin.rules.vitals import Input


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model with its batch, ready to run.

    Args:
        call: The model with its inputs.
        closed: Its program.
        shapes: Descriptions of the outputs in their structure.
        watching: What is looked at.
        values: Of its variables; descriptions of those that have none.
        inputs: Arrays of the batch.
    """

    call: Call
    closed: Any
    shapes: Any
    watching: Watching
    values: Sequence[Any]
    inputs: Sequence[Any]

    @property
    def trained(self) -> list[int]:
        """Which variables are trained."""
        return [
            n
            for n, leaf in enumerate(self.call.leaves)
            if leaf.trainable and jnp.issubdtype(leaf.value.dtype, jnp.floating)
        ]

    @property
    def unmade(self) -> list[str]:
        """Names of the variables that are only described."""
        paired = zip(self.call.leaves, self.values, strict=True)
        return [leaf.name for leaf, value in paired if isinstance(value, jax.ShapeDtypeStruct)]

    @property
    def dtype(self) -> str:
        """Type of the weights."""
        own = self.call.leaves[self.trained[0]].value.dtype if self.trained else "float32"
        return str(jax.dtypes.canonicalize_dtype(own))

    @property
    def examples(self) -> int:
        """Size of the batch."""
        return next((array.shape[0] for array in self.inputs if array.ndim), 1)

    def described_inputs(self, *, described: bool) -> tuple[Input, ...]:
        """Return what rules need to know of the inputs.

        Args:
            described: Whether they are drawn, not the user's data.
        """
        named = zip(self.call.names, self.inputs, strict=True)
        return tuple(input_of(name, np.asarray(array), described=described) for name, array in named)


def prepared(
    model: Any,
    x: Any,
    given: Given | None,
    seed: int,
    random: np.random.Generator,
    options: Mapping[str, Any],
) -> Prepared:
    """Return a model with its batch, traced and ready to run.

    Args:
        model: The model, or a function f(params, *inputs).
        x: Its inputs, if they are given.
        given: What inputs are drawn from, if they are not given.
        seed: Of parameters that are only described.
        random: Where inputs come from that are drawn.
        options: As for `fanin.frameworks.jax.graph.signal_graph`.

    Raises:
        FaninError: The model cannot be traced.
    """
    positional, named = batch.arguments_of(x, model) if given is None else batch.descriptions(given)
    examples = next((one.shape[0] for one in jax.tree.leaves((positional, named)) if len(one.shape)), 1)
    # Statistics of one example are none.
    call = call_of(model, positional, named, train=examples > 1, **options)
    variables = [jax.ShapeDtypeStruct(leaf.value.shape, leaf.value.dtype) for leaf in call.leaves]
    arrays = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in call.arrays]
    with traced_code(f"{call.name} cannot be traced with these inputs", call.names, call.arrays):
        closed, shapes = jax.make_jaxpr(call.function, return_shape=True)(variables, arrays)
    watching = Watching(places_of(call, closed), modules=bool(call.type))
    inputs = call.arrays if given is None else batch.drawn_arguments(given, call, watching.graph, random)
    return Prepared(call, closed, shapes, watching, _values(call, seed), inputs)


def _values(call: Call, seed: int) -> list[Any]:
    values = [leaf.value for leaf in call.leaves]
    if call.start is None or not any(isinstance(value, jax.ShapeDtypeStruct) for value in values):
        return values
    start = jax.extend.core.jaxpr_as_fun(call.start())
    return run_a_few_times(start)(jax.random.key(seed))  # operation by operation each is compiled by itself
