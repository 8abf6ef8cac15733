"""Gates of recurrent layers, which PyTorch computes out of sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from fanin.frameworks.torch.checking import units

_SIGMOIDS = {"LSTM": (4, (0, 1, 3)), "GRU": (3, (0, 1))}
"""Of a kind of cell: its gates, and those with a sigmoid."""
_PLACES = 1 << 12


def saturated(module: nn.RNNBase | nn.RNNCellBase, args: Sequence[Any], output: torch.Tensor) -> float | None:
    r"""Return the share of the gates' values that their weights saturate; None where nobody knows.

    A gate is sigmoid(W x + U h + b), of which W x + U h is looked at: biases may hold a gate open on purpose.
    The states h are those that the layer returns, one step later.

    Args:
        module: A recurrent layer, or a cell of one. Of several layers or directions nothing is known.
        args: What it was called with.
        output: The states that it returned.
    """
    kind = type(module).__name__.removesuffix("Cell")
    read = args[0] if args else None
    if kind not in _SIGMOIDS or not isinstance(read, torch.Tensor) or getattr(module, "proj_size", 0):
        return None
    weights: tuple[Any, Any]
    if isinstance(module, nn.RNNCellBase):
        weights, before = (module.weight_ih, module.weight_hh), _state(args, output)
    elif module.num_layers == 1 and not module.bidirectional:
        weights = module.weight_ih_l0, module.weight_hh_l0
        steps = output.ndim - 2 if module.batch_first else 0
        before = output.roll(1, steps).index_fill(
            steps, torch.zeros(1, dtype=torch.long, device=output.device), 0
        )
    else:
        return None
    number, sigmoids = _SIGMOIDS[kind]
    reads, keeps = (one.detach().float().T for one in weights)
    gates = _few(read) @ reads + _few(before) @ keeps
    parts = torch.sigmoid(gates).unflatten(-1, (number, -1))
    return units.saturated(parts[:, list(sigmoids)], "sigmoid")


def _state(args: Sequence[Any], output: torch.Tensor) -> torch.Tensor:
    """Return the state that a cell begins with, 0 by default."""
    given = args[1] if len(args) > 1 else None
    state = given[0] if isinstance(given, tuple | list) else given
    return torch.zeros_like(output) if state is None else state


def _few(tensor: torch.Tensor) -> torch.Tensor:
    """Return some places at even distances: (places, units)."""
    rows = tensor.detach().flatten(0, -2) if tensor.ndim > 1 else tensor.detach()[None]
    return rows[:: max(len(rows) // _PLACES, 1)].float()
