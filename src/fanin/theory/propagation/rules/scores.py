"""Scores of attention: scaled products of queries and keys, with what caps, hides or adds to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.covariance import split, to_blocks
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.signal import Fixed, Kernel, Signal, Value
from fanin.theory.propagation.windows import one_block

Numbers = NDArray[np.floating[Any]]
Positions = NDArray[np.int64]

_LARGE = 1e4  # second moments of what is added to logits, and hides nothing
_HIDDEN = -1e30


@dataclass(frozen=True, eq=False)
class Scoring:
    """What becomes of the products of queries and keys.

    Args:
        scale: What they are multiplied by.
        causal: Whether queries see no later keys.
        window: How many keys they see then; 0 for all before.
        cap: What a tanh keeps them below; 0 where there is none.
        bias: Variance of what is added to them and differs from key to key.
        masks: What is added to them and known, very low where a key is hidden, (..., heads, queries, keys).
    """

    scale: float
    causal: bool = False
    window: int = 0
    cap: float = 0.0
    bias: float = 0.0
    masks: tuple[Array, ...] = ()

    @classmethod
    def of(cls, node: Node, masks: Sequence[Value], context: Context) -> Scoring | None:
        """Return what a node's attributes and masks do; None where a mask is not known."""
        causal, bias, arrays = bool(node.get("causal")), 0.0, []
        for name, mask in zip(node.inputs[3:], masks, strict=True):
            hides = context.graph[name].dtype == "bool"
            if isinstance(mask, Fixed) and (mask.mask or not (hides or mask.second)):
                causal = causal or mask.mask == "causal"
            elif isinstance(mask, Fixed) and mask.array is not None:
                arrays.append(np.where(mask.array > 0, 0.0, _HIDDEN) if hides else mask.array)
            elif (more := _variance(mask)) is not None and not hides:
                bias += more
            else:
                return None
        known = tuple(np.maximum(array, _HIDDEN) for array in arrays)
        return cls(node["scale"], causal, node.get("window", 0), node.get("cap", 0.0), bias, known)

    @property
    def plain(self) -> bool:
        """Whether products are scaled, and nothing else."""
        return not (self.causal or self.window or self.cap or self.bias or self.masks)

    def logits(
        self, query: Numbers, key: Numbers, at: Positions, context: Context
    ) -> tuple[Numbers, Numbers | float]:
        """Return the logits of drawn queries and keys, and their derivatives with respect to the products.

        Args:
            query: (heads, samples, points, features).
            key: (heads, samples, positions, features).
            at: Positions of the queries, (heads, points).
            context: Of the run.

        Returns:
            (heads, samples, points, positions); derivatives with respect to scaled products.
        """
        logits, slopes = self.scale * query @ key.swapaxes(-1, -2), 1.0
        if self.cap:
            bounded = np.tanh(logits / self.cap)
            logits, slopes = self.cap * bounded, 1 - bounded**2
        heads, _, *pairs = logits.shape
        if self.bias:
            logits = logits + math.sqrt(self.bias) * context.normals.independent((heads, 1, *pairs))
        if self.masks:
            for mask in self.masks:
                logits = logits + _taken(mask, at, key.shape[2], context)[:, None]
        if self.causal:
            distance = at[:, None, :, None] - np.arange(key.shape[2])
            hidden = (distance < 0) | (distance >= (self.window or key.shape[2]))
            logits = np.where(hidden, _HIDDEN, logits)
        return logits, slopes


def _variance(mask: Value) -> float | None:
    """Return the variance of what is added to logits; None where it is not known, or hides some."""
    if isinstance(mask, Kernel) and mask.law is not None and mask.law.second_moment < _LARGE:
        return mask.law.variance
    if isinstance(mask, Signal):  # what all keys have in common changes nothing
        same, apart = one_block(*to_blocks(split(mask.covariance)[0], mask.places), mask.places)
        return max(float(same[0] - apart[0, 0]), 0.0) if mask.places.total > 1 else 0.0
    return None


def positions(places: Places, heads: int, scoring: Scoring, context: Context) -> Positions:
    """Return a position for each head's points: ones of their own where order says nothing, else the same.

    Args:
        places: Of the queries.
        heads: How many are drawn.
        scoring: What becomes of their products with keys.
        context: Of the run.

    Returns:
        (heads, points), no two of a head at the same one.
    """
    if scoring.causal:
        return np.broadcast_to(places.positions, (heads, len(places)))
    found, start = [], 0
    for size, count in zip(places.sizes, places.counts, strict=True):
        # Each round of heads begins everywhere once, and has distances of its own.
        rounds = -(-heads // size)
        steps = np.zeros((rounds, 1), int)
        if count > 1:
            steps = np.concatenate([steps, 1 + _dealt(size - 1, count - 1, rounds, context)], axis=1)
        at = (_dealt(size, 1, rounds * size, context).reshape(rounds, size, 1) + steps[:, None]) % size
        found.append(start + at.reshape(-1, count)[:heads])
        start += size
    return np.concatenate(found, axis=1)


def _dealt(size: int, count: int, times: int, context: Context) -> Positions:
    """Return so many different numbers below a size, many times and all equally often, (times, count)."""
    hands = size // count
    order = np.argsort(context.normals.independent((-(-times // hands), size)), axis=1)
    return order[:, : hands * count].reshape(-1, count)[:times]


def _taken(mask: Array, at: Positions, keys: int, context: Context) -> Array:
    """Return what a mask adds to each head's points, of any head or window of the model alike."""
    heads = np.arange(len(at))[:, None]
    mask = mask.reshape((1,) * max(3 - mask.ndim, 0) + mask.shape)
    flat = np.broadcast_to(mask, (*mask.shape[:-1], keys)).reshape(-1, mask.shape[-2], keys)
    lead = context.normals.among(np.zeros_like(heads), np.full_like(heads, len(flat)))
    return flat[lead, np.minimum(at, mask.shape[-2] - 1)]
