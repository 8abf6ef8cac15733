"""Learning rates of a plan as parameter groups of a PyTorch optimizer."""

from __future__ import annotations

from typing import Any

from torch import nn

from fanin.errors import FaninError
from fanin.frameworks.torch.inventory import uncompiled
from fanin.schemes.plan import InitPlan


def optimizer_groups(plan: InitPlan, model: nn.Module, lr: float) -> list[dict[str, Any]]:
    """Return groups of a module's trainable parameters, one for each learning rate.

    Args:
        plan: Says what each parameter's learning rate is multiplied by; 1 for what it does not draw.
        model: The module that the plan was made for.
        lr: Learning rate.

    Returns:
        Dictionaries of "params", "lr" and "lr_multiplier", for any optimizer of `torch.optim`.

    Raises:
        FaninError: The module has other parameters than the plan.
    """
    multipliers = plan.lr_multipliers
    found = dict(uncompiled(model).named_parameters())
    for name in multipliers:
        if name not in found:
            raise FaninError(
                f"The model has no parameter {name!r} to give a learning rate.",
                fix="make the plan for this model",
            )
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in found.items():
        if parameter.requires_grad:
            groups.setdefault(multipliers.get(name, 1.0), []).append(parameter)
    return [
        {"params": parameters, "lr": lr * multiplier, "lr_multiplier": multiplier}
        for multiplier, parameters in groups.items()
    ]
