"""A plan put into a PyTorch module, in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from fanin.errors import FaninError
from fanin.frameworks.torch.fill import fill_tensor, on_meta
from fanin.frameworks.torch.inventory import inventory, located, uncompiled
from fanin.frameworks.torch.materialize import materialize
from fanin.schemes.draw import draw
from fanin.schemes.plan import InitPlan, Row

__all__ = ["apply_plan", "inventory"]


@torch.no_grad()
def apply_plan(
    plan: InitPlan, model: nn.Module, seed: int, device: str | torch.device | None = None
) -> nn.Module:
    """Give a module the values of a plan, in place: all of them, or none where something does not fit.

    Args:
        plan: What to draw.
        model: The module that the plan was made for, or one of the same parameters.
        seed: With a parameter's name, the key of its values.
        device: Where a module on the meta device is made; the CPU by default.

    Returns:
        The same module.

    Raises:
        FaninError: The module has other parameters than the plan, or a part of it on the meta device has
            no way to get its values.
    """
    found = {name: (layer, own) for name, layer, own in located(model, {r.parameter.name for r in plan})}
    _check(plan, found)
    if on_meta(iter([*model.parameters(), *model.buffers()])):
        drawn = {row.parameter.name for row in plan}
        materialize(uncompiled(model), device or "cpu", drawn)
    for row in plan:
        layer, own = found[row.parameter.name]
        _put(layer, own, row, row.key(seed))
    return model


def _put(layer: nn.Module, name: str, row: Row, key: int) -> None:
    tensor = layer._parameters.get(name)
    if tensor is not None:
        fill_tensor(tensor, row.distribution, row.parameter, key)
        return
    # A parametrized tensor: PyTorch finds the parameters that give it this value.
    old = getattr(layer, name)
    setattr(
        layer, name, torch.from_numpy(draw(row.distribution, row.parameter, key)).to(old.device, old.dtype)
    )


def _check(plan: InitPlan, found: dict[str, Any]) -> None:
    for row in plan:
        parameter = row.parameter
        if parameter.name not in found:
            raise FaninError(
                f"The model has no parameter {parameter.name!r}.", fix="make the plan for this model"
            )
        layer, name = found[parameter.name]
        shape = tuple(getattr(layer, name).shape)
        if shape != parameter.shape:
            raise FaninError(
                f"{parameter.name} is {shape} in the model and {parameter.shape} in the plan.",
                fix="make the plan for this model",
            )
