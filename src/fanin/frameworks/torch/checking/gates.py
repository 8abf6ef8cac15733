"""Gates of recurrent layers, which PyTorch computes out of sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from fanin.frameworks.torch.checking import units

_SIGMOIDS = {"LSTM": (4, (0, 1, 3)), "GRU": (3, (0, 1))}
"""Of a kind of cell: its gates, and those with a sigmoid."""
_PLACES = 1 << 12


def saturated(
    kind: str, read: torch.Tensor, before: torch.Tensor, reads: torch.Tensor, keeps: torch.Tensor
) -> float | None:
    r"""Return the share of the gates' values that their weights saturate; None where there are no gates.

    A gate is sigmoid(W x + U h + b), of which W x + U h is looked at: biases may hold a gate open on purpose.

    Args:
        kind: "LSTM", "GRU" or "RNN".
        read: x of all places, the features last.
        before: h of the same places: the states before each step.
        reads: W: (gates * units, features).
        keeps: U: (gates * units, units).
    """
    if kind not in _SIGMOIDS:
        return None
    number, sigmoids = _SIGMOIDS[kind]
    gates = _few(read) @ reads.detach().float().T + _few(before) @ keeps.detach().float().T
    parts = torch.sigmoid(gates).unflatten(-1, (number, -1))
    return units.saturated(parts[:, list(sigmoids)], "sigmoid")


def begin(args: Sequence[Any], states: torch.Tensor) -> torch.Tensor:
    """Return the state that a cell begins with, 0 by default.

    Args:
        args: What it was called with.
        states: What it has returned.
    """
    given = args[1] if len(args) > 1 else None
    state = given[0] if isinstance(given, tuple | list) else given
    return torch.zeros_like(states) if state is None else state


def _few(tensor: torch.Tensor) -> torch.Tensor:
    """Return some places at even distances: (places, units)."""
    rows = tensor.detach().flatten(0, -2) if tensor.ndim > 1 else tensor.detach()[None]
    return rows[:: max(len(rows) // _PLACES, 1)].float()
