"""Averages over windows, made of sums."""

from __future__ import annotations

import math

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, bare, constant, function, number_first, scalar


def average(draft: Draft, node: Node) -> None:
    """Put the sum over windows and its division by their sizes together.

    Front ends that know sums only give an average times the size of the window.
    """
    if not function(node, "divide", "multiply") or not node.inputs:
        return
    total = draft[node.inputs[0]]
    size = scalar(total)
    if size is None or not function(total, "multiply"):
        return
    pool = draft[total.inputs[0]]
    if pool.op != "pool" or pool["kind"] != "average" or not math.isclose(size, math.prod(pool["window"])):
        return
    number = scalar(node)
    if number is not None and not number_first(node):
        factor = number if function(node, "divide") else 1 / number
        if math.isclose(factor, size, rel_tol=1e-6):
            draft.put(node, "pool", pool.inputs, **pool.attributes)
    elif len(node.inputs) == 2 and function(node, "divide") and _counts(draft, node.inputs[1], pool):
        draft.put(node, "pool", pool.inputs, **{**pool.attributes, "count_pad": False})


def _counts(draft: Draft, name: str, pool: Node) -> bool:
    """Return whether a constant is how many places of each window are no padding."""
    value = constant(bare(draft, name))
    if value is None:
        return False
    shape = draft[pool.inputs[0]].shape
    counted: np.ndarray = np.ones((), np.float64)
    for place, axis in enumerate(pool["axes"]):
        along = _counted(
            shape[axis], *(pool[key][place] for key in ("window", "stride", "padding", "dilation"))
        )
        counted = counted[..., None] * along if place else along
    found = np.squeeze(np.asarray(value))
    return found.shape == np.squeeze(counted).shape and bool(np.allclose(found, np.squeeze(counted)))


def _counted(size: int, window: int, stride: int, padding: tuple[int, int], dilation: int) -> np.ndarray:
    low, high = padding
    inside = np.pad(np.ones(size), (low, high))
    reach = dilation * (window - 1) + 1
    starts = range(0, size + low + high - reach + 1, stride)
    return np.array([inside[start : start + reach : dilation].sum() for start in starts])
