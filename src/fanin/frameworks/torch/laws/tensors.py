"""The law of values that are there: their own mean and variance."""

from __future__ import annotations

import torch

from fanin.graph.signal import Law

_ROWS = 8
"""So many rows tell an orthogonal matrix from one of independent values."""

_TOLERANCE = 1e-4


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
    variance, mean = torch.var_mean(values, correction=0)
    return Law(float(mean), float(variance), "values", matrix and is_orthogonal(values))


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
    rows = short[:: max(1, len(short) // _ROWS)][:_ROWS].double()
    products = rows @ rows.T
    squares = products.diagonal()
    scale = float(squares.mean())
    if scale == 0:
        return False
    wrong = products - scale * torch.eye(len(rows), dtype=products.dtype)
    return float(wrong.abs().max()) < _TOLERANCE * scale
