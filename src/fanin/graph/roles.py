"""Roles: what a parameter is in the whole model, beyond what its own layer says."""

from __future__ import annotations

head = "head"
"""The last kernel: its outputs are the model's."""

residual_out = "residual_out"
"""The last kernel of a residual branch: its outputs are added to the stream."""

embedding = "embedding"
"""A table of vectors that tokens or positions are looked up in."""

recurrent = "recurrent"
"""From a recurrent layer's state to its gates."""

query = "query"
key = "key"
value = "value"
attention_out = "attention_out"
"""The four projections of attention; the last one is a residual_out too."""
