"""Values into tensors: any dtype, device, layout and shard."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import Distribution
from fanin.schemes.draw import draw, fill, is_elementwise

# Values made at once where they cannot be written in place: 4 MiB.
_BLOCK = 1 << 20


def fill_tensor(tensor: torch.Tensor, distribution: Distribution, parameter: Parameter, key: int) -> None:
    """Fill a tensor in place with a parameter's values.

    A shard (DTensor) is given its part of the whole, which is not made where the values are drawn one by
    one.

    Args:
        tensor: Of any floating or complex dtype, on any device; it may be a DTensor.
        distribution: What it is drawn from.
        parameter: What it is; its shape is the whole tensor's.
        key: Of the parameter's stream.
    """
    target = tensor.detach()
    local, offset = _shard(target)
    if not is_elementwise(distribution):
        values = draw(distribution, parameter, key)
        local.copy_(torch.from_numpy(values)[_window(local, offset)])
    elif local.shape == parameter.shape:
        _fill_whole(local, distribution, key)
    else:
        _fill_window(local, offset, parameter.shape, distribution, key)
    _zero_padding(local, offset, parameter.padding)


def _fill_whole(target: torch.Tensor, distribution: Distribution, key: int) -> None:
    if target.device.type == "cpu" and target.dtype is torch.float32 and target.is_contiguous():
        fill(distribution, target.view(-1).numpy(), key)
        return
    # Rows of blocks in the tensor's own order of indices, whatever its strides.
    width = math.prod(target.shape[1:])
    rows = max(1, _BLOCK // max(width, 1))
    table = target.unsqueeze(0) if target.ndim == 0 else target
    for first in range(0, len(table), rows):
        part = table[first : first + rows]
        part.copy_(_values(part.shape, distribution, key, first * width, target.is_complex()))


def _fill_window(
    local: torch.Tensor, offset: tuple[int, ...], shape: tuple[int, ...], distribution: Distribution, key: int
) -> None:
    """Fill a rectangular part of a tensor: whole rows are made and cut, one block of rows at a time."""
    width = math.prod(shape[1:])
    rows = max(1, _BLOCK // max(width, 1))
    inner = _window(local, offset)[1:]
    for first in range(0, len(local), rows):
        part = local[first : first + rows]
        start = (offset[0] + first) * width
        values = _values((len(part), *shape[1:]), distribution, key, start, local.is_complex())
        part.copy_(values[(slice(None), *inner)])


def _values(
    shape: Any, distribution: Distribution, key: int, start: int, complex_values: bool
) -> torch.Tensor:
    values = np.empty(tuple(shape), np.complex64 if complex_values else np.float32)
    fill(distribution, values.reshape(-1), key, start)
    return torch.from_numpy(values)


def _shard(tensor: Any) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Return the part of a tensor that this process holds, and where it begins in the whole."""
    distributed = sys.modules.get("torch.distributed.tensor")
    if distributed is None or not isinstance(tensor, distributed.DTensor):
        return tensor, (0,) * tensor.ndim
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    _, offset = compute_local_shape_and_global_offset(tensor.shape, tensor.device_mesh, tensor.placements)
    return tensor.to_local(), tuple(offset)


def _window(local: torch.Tensor, offset: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(a, a + n) for a, n in zip(offset, local.shape, strict=True))


def _zero_padding(local: torch.Tensor, offset: tuple[int, ...], row: int | None) -> None:
    if row is not None and offset[0] <= row < offset[0] + len(local):
        local[row - offset[0]] = 0


def on_meta(tensors: Iterator[torch.Tensor]) -> bool:
    """Return whether any of some tensors has a shape but no values."""
    return any(tensor.is_meta for tensor in tensors)
