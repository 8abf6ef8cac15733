"""Roles: what a parameter is in the whole model, beyond what its own layer says."""

from __future__ import annotations

head = "head"
"""The last kernel: its outputs are the model's."""

head_bias = "head_bias"
"""The bias of the last kernel."""

residual_out = "residual_out"
"""The last kernel of a residual branch: its outputs are added to the stream."""

shortcut = "shortcut"
"""A kernel on the way beside a residual branch."""

residual_norm = "residual_norm"
"""The scale of a norm whose outputs are added to the stream."""

embedding = "embedding"
"""A table of vectors that tokens or positions are looked up in."""

token = "token"
"""A vector that stands beside those of the inputs, such as a class token."""

position = "position"
"""Vectors of positions that are added to those of the inputs."""

recurrent = "recurrent"
"""From a recurrent layer's state to its gates."""

gate = "gate"
"""Kernels and biases of gates: of recurrent layers, and of gated units such as SwiGLU."""

query = "query"
key = "key"
value = "value"
attention_out = "attention_out"
"""The four projections of attention; the last one is a residual_out too."""

adapter_in = "adapter_in"
adapter_out = "adapter_out"
"""The two factors of a low-rank adapter (LoRA's A and B)."""

decay_log = "decay_log"
decay_real_log = "decay_real_log"
frequency = "frequency"
"""A state space's matrix: log -A of Mamba, log -Re A and Im A of S4D."""

step_log = "step_log"
step_bias = "step_bias"
step_kernel = "step_kernel"
"""A state space's time step: its logarithm (S4D), or what softplus makes it from (Mamba)."""

skip = "skip"
"""A state space's way from input to output, its D."""
