"""A plan put into a Keras model, in place, on any backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from fanin.errors import FaninError
from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.keras.inventory import inventory
from fanin.schemes.draw import draw
from fanin.schemes.plan import InitPlan

__all__ = ["apply_plan", "inventory"]


def apply_plan(plan: InitPlan, model: keras.Model, seed: int) -> keras.Model:
    """Give a model's variables the values of a plan: all of them, or none where something does not fit.

    Args:
        plan: What to draw.
        model: The model that the plan was made for, or one of the same variables.
        seed: With a variable's name, the key of its values.

    Returns:
        The same model.

    Raises:
        FaninError: The model has other variables than the plan.
    """
    variables = dict(zip(canonical_paths(model), model.variables, strict=True))
    check_variables(plan, variables)
    for row in plan:
        values = draw(row.distribution, row.parameter, row.key(seed))
        variables[row.parameter.name].assign(values)
    return model


def check_variables(plan: InitPlan, variables: Mapping[str, Any]) -> None:
    """Refuse a plan for other variables than a model's.

    Args:
        plan: The plan.
        variables: The model's variables by canonical path.

    Raises:
        FaninError: The model has other variables than the plan.
    """
    for row in plan:
        name, shape = row.parameter.name, row.parameter.shape
        there = variables.get(name)
        if there is None or tuple(there.shape) != shape:
            found = "has no such variable" if there is None else f"has it as {tuple(there.shape)}"
            raise FaninError(f"{name} {shape}: the model {found}.", fix="make the plan for this model")
