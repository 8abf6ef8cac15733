"""Units of a tensor: their moments, whether they are dead, and which of them are twins."""

from __future__ import annotations

import math
from typing import Any

import torch

from fanin.rules.vitals import Spread

PLACES = 32
"""Fewest places at which a unit that is always 0 may be dead, and not there by chance."""
_SAMPLE = 1 << 17
_PRIMES = (
    2,
    3,
    5,
    7,
    11,
    17,
    29,
    53,
    97,
    193,
    389,
    769,
    1543,
    3079,
    6151,
    12289,
    24593,
    49157,
    98317,
    196613,
)
_EQUAL = 1e-5
_COPIED = 1e-4
_FEATURES = 1 << 13
_NOTHING = -math.log(torch.finfo(torch.float32).eps)
_ENDS = {
    "tanh": (-0.97, 0.97),
    "sigmoid": (0.03, 0.97),
    "hardtanh": (-0.999, 0.999),
    "hardsigmoid": (1e-3, 0.999),
}
SATURATING = frozenset(_ENDS)
"""Functions that are flat at both ends."""


def spread(tensor: torch.Tensor, *, whole: bool = False) -> Spread:
    """Return the moments of a tensor, of those of its elements that are finite.

    Args:
        tensor: Any shape and type.
        whole: Whether to look at all elements; by default, of many some at even distances.

    Example:
        >>> spread(torch.tensor([1.0, -3.0]))
        Spread(mean=-1.0, sd=2.0, largest=3.0, finite=True)
    """
    values = as_real(dense(tensor.detach()))
    if not values.numel():
        return Spread(0.0, 0.0, 0.0)
    few = values if whole else sampled(values)
    few = few.float() if few.dtype not in (torch.float32, torch.float64) else few
    variance, mean = (one.item() for one in torch.var_mean(few, correction=0))
    finite = whole or math.isfinite(values.sum(dtype=torch.float32).item())
    if finite and math.isfinite(variance) and math.isfinite(mean):
        low, high = torch.aminmax(few)
        return Spread(mean, math.sqrt(max(variance, 0.0)), max(abs(low.item()), abs(high.item())))
    return _of_finite(values)


def dense(tensor: torch.Tensor) -> torch.Tensor:
    """Return a sparse tensor's own values, as of a matrix of neighbours; what is not sparse, as it is."""
    if tensor.layout == torch.strided:
        return tensor
    return tensor.coalesce().values() if tensor.layout == torch.sparse_coo else tensor.values()


def as_real(tensor: torch.Tensor) -> torch.Tensor:
    """Return real and imaginary parts along the last axis, one after the other; real numbers as they are."""
    return torch.view_as_real(tensor).flatten(-2) if tensor.is_complex() else tensor


def unwrapped(value: Any) -> Any:
    """Return the tensor of all examples that `torch.func` maps a function over; anything else as it is."""
    inside: Any = torch._C._functorch  # pyright: ignore[reportAttributeAccessIssue]
    while isinstance(value, torch.Tensor) and inside.is_functorch_wrapped_tensor(value):
        value = inside.get_unwrapped(value)
    return value


def _of_finite(values: torch.Tensor) -> Spread:
    kept = values[torch.isfinite(values)].double()
    if not kept.numel():
        return Spread(0.0, 0.0, math.inf, finite=False)
    finite = kept.numel() == values.numel()  # only too large to be squared
    return Spread(kept.mean().item(), kept.std(correction=0).item(), kept.abs().max().item(), finite)


def by_unit(tensor: torch.Tensor, axis: int) -> torch.Tensor:
    """Return a tensor as (units, places)."""
    return tensor.detach().movedim(axis, 0).flatten(1) if tensor.ndim > 1 else tensor.detach()[None]


def sampled(tensor: torch.Tensor) -> torch.Tensor:
    """Return elements at even distances, where there are more than tell more.

    The distance is a prime, so that all units are among them.
    """
    flat = tensor.detach().flatten()
    wanted = flat.numel() // _SAMPLE
    return flat if wanted < 2 else flat[:: next(prime for prime in _PRIMES if prime >= wanted)]


def zeros(tensor: torch.Tensor) -> float:
    """Return the share of exact zeros."""
    few = sampled(tensor)
    return 1 - torch.count_nonzero(few).item() / max(few.numel(), 1)


def saturated(tensor: torch.Tensor, function: str) -> float:
    """Return the share of values at the flat ends of a function."""
    low, high = _ENDS[function]
    few = sampled(tensor)
    return ((few < low) | (few > high)).float().mean().item()


def dead(units: torch.Tensor) -> float | None:
    """Return the share of units that are 0 at all places; None where places are too few to tell.

    Args:
        units: (units, places).
    """
    alive = torch.count_nonzero(units, dim=1) > 0
    return 1 - alive.float().mean().item() if units.shape[1] >= PLACES else None


def fingerprints(units: torch.Tensor, *, centred: bool = False) -> torch.Tensor:
    """Return numbers that two units have in common if, and but for chance only if, they are equal.

    Args:
        units: (units, places).
        centred: Whether units are equal that differ by a constant, such as a bias.
    """
    wide = as_real(units[:, :: max(units.shape[1] // (1 << 12), 1)])
    wide = wide.float() if wide.dtype not in (torch.float32, torch.float64) else wide
    wide = wide - wide.mean(1, keepdim=True) if centred else wide
    steps = torch.arange(1, wide.shape[1] + 1, device=wide.device, dtype=wide.dtype)
    # Fixed directions without a pattern, which take no random numbers.
    directions = torch.stack([torch.sin(steps * 12.9898), torch.cos(steps * 78.233)], dim=1)
    return torch.cat([wide @ directions, wide.square().sum(1, keepdim=True).sqrt()], dim=1).double()


def twins(*prints: torch.Tensor) -> torch.Tensor:
    """Return which units equal another one in all fingerprints, relative to their size: (units,) of bool.

    Args:
        *prints: Fingerprints of the same units, of their outputs, their gradients, ...
    """
    order = torch.argsort(prints[0][:, 0])
    near = torch.stack([_near(one[order]) for one in prints]).all(0)
    found = torch.zeros(len(order), dtype=torch.bool, device=order.device)
    found[order[1:]] |= near
    found[order[:-1]] |= near
    return found


def _near(prints: torch.Tensor) -> torch.Tensor:
    """Return which fingerprints equal the next one."""
    sizes = torch.maximum(prints[1:, -1], prints[:-1, -1])
    return (prints[1:] - prints[:-1]).abs().amax(1) <= _EQUAL * sizes


def copies(values: torch.Tensor, gradient: torch.Tensor) -> int:
    """Return how many slices along one axis are all equal, in values and in gradients that are not 0.

    Args:
        values: Of a parameter.
        gradient: With respect to it.

    Example:
        >>> copies(torch.zeros(4, 3), torch.ones(4, 1) * torch.arange(3.0))
        4
    """
    for axis in range(values.ndim if values.ndim > 1 else 0):
        rows = by_unit(values, axis)
        if len(rows) < 2 or not torch.equal(rows, rows[:1].expand_as(rows)):
            continue
        back = by_unit(gradient, axis)
        live = back[back.any(1)].double()
        if len(live) > 1 and bool(((live - live[0]).norm(dim=1) <= _COPIED * live[0].norm()).all()):
            return len(live)
    return 0


def similarity(tensor: torch.Tensor) -> tuple[float | None, float | None]:
    """Return the mean cosine between two examples, and how much examples vary, over sqrt(E[x^2]).

    Args:
        tensor: The batch first.
    """
    if tensor.ndim < 2 or tensor.shape[0] < 2:
        return None, None
    rows = as_real(tensor.detach().flatten(1))
    rows = rows[:, :: max(rows.shape[1] // _FEATURES, 1)].float()
    scale = rows.square().mean().sqrt().item()
    if not scale or not math.isfinite(scale):
        return None, None
    unit = torch.nn.functional.normalize(rows, dim=1)
    number = len(rows)
    cosine = (unit.sum(0).square().sum().item() - number) / (number * (number - 1))
    varied = rows.var(0, correction=0).mean().sqrt().item()
    return cosine, varied / scale


def entropy(logits: torch.Tensor) -> float | None:
    """Return the mean entropy of attention over that of equal weights, of queries that see several keys.

    Args:
        logits: (..., keys), what a softmax makes weights of.
    """
    rows = logits.detach().float().flatten(0, -2)[: 1 << 14]
    seen = (rows > _hidden(rows)).sum(1)
    weights = torch.softmax(rows[seen > 1], -1)
    found = -torch.special.xlogy(weights, weights).sum(1) / seen[seen > 1].float().log()
    found = found[found.isfinite()]
    return found.mean().item() if len(found) else None


def _hidden(logits: torch.Tensor) -> float:
    """Return the number below which are the logits of keys that a mask hides; -inf where none are apart.

    Such logits are below all others by more than these spread, and by so much that their weights are less
    than can be added to 1; and they are further from 0. Large logits, whose weights are exactly 0 too, lie
    close.
    """
    few = sampled(logits)
    few = few[few.isfinite()].double().sort().values
    if len(few) < 2:
        return -math.inf
    low, high, top = few[:-1], few[1:], few[-1]
    apart = (high - low) / torch.clamp_min(top - high, _NOTHING)
    place = int(apart.argmax())
    farther = -low[place] > max(abs(high[place]), abs(top))
    return ((low[place] + high[place]) / 2).item() if apart[place] > 1 and farther else -math.inf
