"""The coordinate check: how far one step of Adam moves what each layer returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from fanin.frameworks.torch.checking import units
from fanin.frameworks.torch.checking.steps import stepped

Pass = Callable[[], dict[str, torch.Tensor]]
"""Runs a module, and returns some of what each layer returned."""


def moved(
    trained: Sequence[nn.Parameter], gradients: Sequence[torch.Tensor | None], run: Pass
) -> dict[str, float]:
    """Return the root mean square change of each layer's outputs by a step; values are put back.

    Args:
        trained: The parameters.
        gradients: Their gradients.
        run: Runs the module.
    """
    before = run()
    with stepped(trained, gradients):
        after = run()
    changes = {
        name: units.spread(after[name] - value).scale for name, value in before.items() if name in after
    }
    return {name: change for name, change in changes.items() if change > 0}
