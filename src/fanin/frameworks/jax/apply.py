"""Plans of JAX models: which library a model is of, and new parameters instead of changed ones."""

from __future__ import annotations

import importlib
from typing import Any

import jax

from fanin.errors import FaninError
from fanin.frameworks.find import framework_of
from fanin.frameworks.jax.traced import draw_traced, is_traced
from fanin.frameworks.jax.tree import named_leaves
from fanin.graph.inventory import Inventory
from fanin.schemes.draw import draw
from fanin.schemes.plan import InitPlan


def inventory(model: Any, inputs: Any = None) -> Inventory:
    """Return what a JAX model is made of.

    Args:
        model: An Equinox or Flax NNX module, a Flax Linen module, or a pytree of arrays.
        inputs: For Linen, an example input or a list of them; `jax.ShapeDtypeStruct` will do.

    Raises:
        FaninError: A Linen module comes without inputs.
    """
    library = framework_of(model)
    if library == "linen":
        return _part(library, "inventory").inventory(model, inputs=_needed(inputs))
    return _part(library, "inventory").inventory(model)


def apply_plan(plan: InitPlan, model: Any, seed: int, inputs: Any = None) -> Any:
    """Return a model with the values of a plan; the given one is not changed.

    Under `jax.jit` the values are computed in the program: with sharded outputs each device makes its own.

    Args:
        plan: What to draw.
        model: As for `inventory`, or the variables of a Linen module.
        seed: With a parameter's name, the key of its values.
        inputs: For a Linen module, as for `inventory`; Flax' own `init` makes what the plan does not draw.

    Returns:
        A new module or pytree; for a Linen module, its variables.

    Raises:
        FaninError: The model has other parameters than the plan.
    """
    values = values_of(plan, seed)
    library = framework_of(model)
    if library == "linen":
        given = _needed(inputs)
        positional = [given] if hasattr(given, "dtype") else given
        model = model.init(jax.random.key(seed), *(_made(value) for value in positional))
    elif library == "jax" and isinstance(model, dict) and "params" in model:
        own = {name for name, _ in named_leaves(model)}
        library = "jax" if values.keys() <= own else "linen"
    return _part(library, "values").with_values(model, values)


def values_of(plan: InitPlan, seed: int) -> dict[str, Any]:
    """Return the values of a plan by the names of parameters.

    Args:
        plan: What to draw.
        seed: As for `apply_plan`.
    """
    drawn = draw_traced if is_traced() else draw
    return {row.parameter.name: drawn(row.distribution, row.parameter, row.key(seed)) for row in plan}


def _part(library: str, name: str) -> Any:
    """Return the module that reads models of a library, or puts values into them."""
    inside = "tree" if library == "jax" else f"{library}.{name}"
    return importlib.import_module(f"fanin.frameworks.jax.{inside}")


def _needed(inputs: Any) -> Any:
    if inputs is None:
        raise FaninError(
            "A Flax Linen module has no parameters before it is called.",
            fix="inputs=jax.ShapeDtypeStruct((1, 20), 'float32'), with the shape of a batch",
        )
    return inputs


def _made(value: Any) -> Any:
    """Return zeros for a description of an array."""
    described = isinstance(value, jax.ShapeDtypeStruct)
    return jax.numpy.zeros(value.shape, value.dtype) if described else value
