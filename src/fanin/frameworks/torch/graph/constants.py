"""Values that are known: what a node says of them, and masks that are causal."""

from __future__ import annotations

from typing import Any

import torch

from fanin.frameworks.torch.graph.values import Value
from fanin.graph.signal import Attribute

LARGEST = 65_536
"""So many numbers are kept as they are; of more, only their moments."""

_SEARCHED = 4_000_000
"""Of constants so large, none is searched for parts that repeat."""

_BLOCKED = -1e4
"""A score that no softmax lets through."""


def constant_attributes(tensor: torch.Tensor) -> dict[str, Attribute]:
    """Return what a constant node has to say of its values.

    Example:
        >>> constant_attributes(torch.tensor([1.0, 3.0]))
        {'value': (1.0, 3.0)}
    """
    attributes: dict[str, Attribute] = {}
    if tensor.numel() <= LARGEST:
        attributes["value"] = _nested(tensor.tolist())
    else:
        values = tensor.to(torch.float64)
        attributes["mean"] = float(values.mean())
        attributes["second_moment"] = float(values.square().mean())
    return attributes | causal_attributes(tensor)


def distinct_parts(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return the parts that a large constant consists of along its first axis, and which one is where.

    Args:
        tensor: The constant; axes of size 1 in front do not count.

    Returns:
        (parts, size of a part) and (places,); None for one that is small, or made of too many parts.

    Example:
        >>> parts, which = distinct_parts(torch.eye(200).repeat(4, 1, 1))
        >>> tuple(parts.shape), which.tolist()
        ((1, 40000), [0, 0, 0, 0])
    """
    if not LARGEST < tensor.numel() <= _SEARCHED or causal_attributes(tensor):
        return None
    rows = tensor.reshape(next(size for size in tensor.shape if size > 1), -1)
    parts, which = torch.unique(rows, dim=0, return_inverse=True)
    return (parts, which) if parts.numel() <= LARGEST else None


def causal_attributes(mask: torch.Tensor) -> dict[str, Attribute]:
    """Return that a mask is causal, and how many positions each one sees, itself among them, if not all.

    Example:
        >>> causal_attributes(torch.ones(4, 4).tril().triu(-1).bool())
        {'mask': 'causal', 'window': 2}
    """
    seen = _seen(mask)
    if seen is None or seen.shape[-1] != (size := seen.shape[-2]) or size < 2 or not seen.numel():
        return {}
    window = int(seen.reshape(-1, size, size)[0, -1].sum())
    wanted = torch.ones(size, size, dtype=torch.bool).tril().triu(1 - max(window, 1))
    if window < 2 or not bool((seen == wanted).all()):
        return {}
    return {"mask": "causal", **({"window": window} if window < size else {})}


def _nested(values: Any) -> Any:
    return tuple(_nested(value) for value in values) if isinstance(values, list) else values


def is_causal(mask: torch.Tensor) -> bool:
    """Return whether a mask lets each position see itself and those before it, and no other.

    Args:
        mask: (..., queries, keys): true where a position is seen, or what is added to the scores.

    Example:
        >>> is_causal(torch.ones(3, 3).tril().bool()), is_causal(torch.ones(3, 3).bool())
        (True, False)
    """
    return causal_attributes(mask) == {"mask": "causal"}


def is_open(mask: torch.Tensor) -> bool:
    """Return whether a mask hides nothing and adds nothing.

    Example:
        >>> is_open(torch.zeros(2, 2)), is_open(torch.ones(2, 2).tril().bool())
        (True, False)
    """
    seen = _seen(mask)
    return seen is not None and bool(seen.all())


def known_mask(mask: Value) -> dict[str, Attribute]:
    """Return that a known mask is "causal" or "open", else nothing; it is looked at once."""
    if mask.mask is None and mask.tensor is not None:
        mask.mask = {"mask": "open"} if is_open(mask.tensor) else causal_attributes(mask.tensor)
    return mask.mask or {}


def _seen(mask: torch.Tensor) -> torch.Tensor | None:
    """Return which positions see which, None where the mask does more than hide."""
    if mask.ndim < 2 or mask.is_complex():
        return None
    if mask.dtype is torch.bool:
        return mask
    if not mask.is_floating_point():
        return None
    open_, hidden = mask == 0, mask <= _BLOCKED
    return open_ if bool((open_ | hidden).all()) else None
