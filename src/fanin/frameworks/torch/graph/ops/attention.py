"""Attention and tables."""

from __future__ import annotations

import math

from fanin.frameworks.torch.graph.call import Call, Result, converts
from fanin.frameworks.torch.graph.constants import known_mask
from fanin.frameworks.torch.graph.values import Value
from fanin.graph.signal import Attribute


@converts("scaled_dot_product_attention")
def _attention(call: Call) -> Result:
    query, key, value = call["query"], call["key"], call["value"]
    lone = query.ndim < 4  # without an axis of heads: there is one
    if lone:
        query, key, value = (_with_head(call, one) for one in (query, key, value))
    mask, causal = call.get("attn_mask"), bool(call.get("is_causal", False))
    known = known_mask(mask) if mask is not None and mask.constant else {}
    causal = causal or known.get("mask") == "causal"
    mask = None if known else mask
    more: dict[str, Attribute] = {"window": known["window"]} if "window" in known else {}
    if lone and mask is not None and mask.ndim > 2:
        mask = _with_head(call, mask)
    made = call.graph.emit(
        "attention",
        [query, key, value, *([mask] if mask is not None else [])],
        (*query.shape[:-1], value.shape[-1]),
        query.dtype,
        causal=causal,
        scale=call.get("scale", 1 / math.sqrt(query.shape[-1])),
        heads=query.shape[-3],
        key_heads=key.shape[-3],
        dropout=float(call.get("dropout_p", 0.0)),
        **more,
    )
    return call.graph.reshape(made, call.shape)


def _with_head(call: Call, x: Value) -> Value:
    return call.graph.reshape(x, (*x.shape[:-2], 1, *x.shape[-2:]))


@converts("embedding")
def _embedding(call: Call) -> Result:
    table, ids = call["weight"], call["indices"]
    padding = call.get("padding_idx", -1)
    row = None if padding < 0 else padding
    return call.graph.emit("embedding", [ids, table], call.shape, table.dtype, padding=row)
