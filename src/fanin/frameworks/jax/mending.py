"""Other weights for a JAX model or a function that is looked at: what they are, and where they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from fanin.errors import FaninError
from fanin.frameworks.find import is_model
from fanin.frameworks.given import Given
from fanin.frameworks.jax import apply, tree
from fanin.frameworks.jax.checking.batch import arguments_of, descriptions
from fanin.frameworks.jax.graph.convert import converted
from fanin.frameworks.jax.graph.inventory import inventory
from fanin.frameworks.jax.graph.modes import mode_keywords
from fanin.frameworks.jax.graph.signal import call_of
from fanin.frameworks.jax.leaves import typed
from fanin.frameworks.jax.signals import takes_parameters
from fanin.graph.inventory import Inventory
from fanin.schemes.plan import InitPlan
from fanin.theory.recognition import recognize

Batch = Given | tuple[Any]
"""A description of inputs, or the inputs themselves as the only item."""
Options = Mapping[str, Any]


def parameters(model: Any, batch: Batch, options: Options) -> Inventory:
    """Return what a model is made of; of a function, what its program says.

    Args:
        model: The model, or a function f(params, *inputs).
        batch: Its inputs.
        options: `params`, `start` and others, as for `diagnose`.
    """
    if not takes_parameters(model):
        return apply.inventory(model)
    positional, named = _arguments(model, batch)
    if is_model(model):
        from fanin.frameworks.jax.linen.inventory import inventory as of_linen

        keywords = {**mode_keywords(model.__call__, False, named), **named}
        return of_linen(model, _variables(options.get("params")), inputs=positional, keywords=keywords)
    call = call_of(model, positional, named, **options)
    leaves = {leaf.name: leaf.value for leaf in call.leaves}
    found = inventory(recognize(converted(call)))
    return replace(found, parameters=tuple(typed(one, leaves[one.name]) for one in found.parameters))


def redrawn(plan: InitPlan, model: Any, batch: Batch, options: Options, seed: int = 0) -> tuple[Any, Options]:
    """Return a model with the values of a plan, and the options that it is called with then.

    Args:
        plan: What to draw.
        model: The model, or a function.
        batch: Its inputs.
        options: As for `parameters`.
        seed: Of the values.
    """
    if not takes_parameters(model):
        return apply.apply_plan(plan, model, seed), options
    values = apply.values_of(plan, seed)
    if is_model(model):
        from fanin.frameworks.jax.linen.values import with_values

        variables = _variables(options.get("params"))
        variables = _initialized(model, batch, seed) if variables is None else variables
        return model, {**options, "params": with_values(variables, values)}
    made = options.get("params")
    made = _started(options.get("start"), seed) if made is None else made
    if hasattr(made, "dtype"):  # one array, which is called like the argument
        return model, {**options, "params": tree.with_values({"params": made}, values)["params"]}
    return model, {**options, "params": tree.with_values(made, values)}


def _arguments(model: Any, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return descriptions(batch) if isinstance(batch, Given) else arguments_of(batch[0], model)


def _variables(params: Any) -> Any:
    """Return a Linen module's variables, of which there may be the parameters alone."""
    return params if params is None or "params" in params else {"params": params}


def _initialized(module: Any, batch: Batch, seed: int) -> Any:
    """Return the first variables of a Linen module."""
    positional, named = jax.tree.map(_zeros, _arguments(module, batch))
    keywords = mode_keywords(module.__call__, False, named)
    return module.init(jax.random.key(seed), *positional, **keywords, **named)


def _zeros(value: Any) -> Any:
    return jnp.zeros(value.shape, value.dtype) if hasattr(value, "dtype") else value


def _started(start: Callable[[Any], Any] | None, seed: int) -> Any:
    if start is None:
        raise FaninError("The function's parameters are not given.", fix="params=..., a pytree of arrays")
    return start(jax.random.key(seed))
