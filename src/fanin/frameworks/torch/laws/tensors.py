"""The law of values that are there: their own mean and variance."""

from __future__ import annotations

import numpy as np
import torch

from fanin.graph.signal import Law

_ROWS = 8
"""So many rows tell an orthogonal matrix from one of independent values."""

_TOLERANCE = 1e-4
_BLOCK = 4096
_LEVEL = 0.1
"""Of the second moment the mean may be no more, so that what is left is exact."""


@torch.no_grad()
def law_of_values(tensor: torch.Tensor, *, matrix: bool = False) -> Law | None:
    """Return mean and variance of a tensor's values, over all of them.

    Args:
        tensor: Real, of any shape and dtype; of complex values the modulus counts.
        matrix: Whether to look if it is an orthogonal matrix.

    Returns:
        None where it holds no values: on the meta device, or empty.

    Example:
        >>> law_of_values(torch.tensor([1.0, 3.0]))
        Law(mean=2.0, variance=1.0, name='values', orthogonal=False)
    """
    if tensor.is_meta or not tensor.numel():
        return None
    values = tensor.abs() if tensor.is_complex() else tensor
    if values.dtype not in (torch.float32, torch.float64):
        values = values.float()
    mean, variance = _moments(values)
    return Law(mean, variance, "values", matrix and is_orthogonal(values))


def _moments(values: torch.Tensor) -> tuple[float, float]:
    """Return mean and variance, of many values by the lengths of blocks, which takes a tenth of the time."""
    count = values.numel()
    if count >= 16 * _BLOCK and values.is_contiguous():
        flat = values.reshape(-1)
        cut = count - count % _BLOCK
        lengths = torch.linalg.vector_norm(flat[:cut].view(-1, _BLOCK), dim=1).double()
        squares = float(lengths.square().sum() + flat[cut:].double().square().sum()) / count
        mean = float(flat.sum()) / count
        if mean**2 < _LEVEL * squares:
            return mean, squares - mean**2
    variance, mean = torch.var_mean(values, correction=0)
    return float(mean), float(variance)


def is_orthogonal(kernel: torch.Tensor) -> bool:
    """Return whether a kernel's rows, or columns where they are fewer, are orthogonal and equally long.

    Args:
        kernel: (out, in, taps...).

    Example:
        >>> is_orthogonal(torch.nn.init.orthogonal_(torch.empty(16, 20))), is_orthogonal(torch.randn(16, 20))
        (True, False)
    """
    if kernel.ndim < 2 or min(kernel.shape[0], kernel[0].numel()) < 2:
        return False
    flat = kernel.reshape(kernel.shape[0], -1)
    short = flat if flat.shape[0] <= flat.shape[1] else flat.T
    rows = short[:: max(1, len(short) // _ROWS)][:_ROWS].double().cpu().numpy()
    scale = float(np.square(rows[0]).sum())
    if scale == 0 or abs(float((rows[0] * rows[1]).sum())) > _TOLERANCE * scale:
        return False
    wrong = (rows[:, None] * rows).sum(-1) - scale * np.eye(len(rows))
    return float(np.abs(wrong).max()) < _TOLERANCE * scale
