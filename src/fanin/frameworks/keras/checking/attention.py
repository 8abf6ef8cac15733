"""The logits of an attention that a backend computes in one function."""

from __future__ import annotations

import numpy as np

from fanin.frameworks.units import Array, as_floats

_EXAMPLES = 2


def logits_of_attention(
    query: Array,
    key: Array,
    *,
    mask: Array | None = None,
    bias: Array | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Array:
    """Return the logits of the first two examples, (examples, heads, queries, keys); -inf for keys not seen.

    Args:
        query: (examples, queries, heads, features).
        key: (examples, keys, heads or groups of these, features).
        mask: True where a query sees a key; it broadcasts to the weights.
        bias: What is added to the logits; it broadcasts to the weights.
        causal: Whether later keys are not seen.
        scale: What products are multiplied with; by default 1 / sqrt(features).
    """
    q, k = (as_floats(one[:_EXAMPLES]) for one in (query, key))
    k = np.repeat(k, q.shape[2] // k.shape[2], axis=2)
    logits = np.einsum("bqhd,bkhd->bhqk", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if bias is not None:
        logits = logits + as_floats(bias[:_EXAMPLES])
    seen = np.ones(logits.shape, bool)
    if causal:
        seen &= np.tri(*logits.shape[-2:], dtype=bool)
    if mask is not None:
        seen &= mask[:_EXAMPLES].astype(bool)
    return np.where(seen, logits, -np.inf)
