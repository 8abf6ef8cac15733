"""A parameter and what each of its axes means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Axis = Literal["in", "out", "tap", "multiplier", "expert"]
"""An axis of a weight: input or output units, taps, a depthwise multiplier, or matrices side by side."""

Kind = Literal["kernel", "recurrent", "bias", "embedding", "norm", "scale", "state", "unknown"]
"""What a parameter does; "scale" multiplies a branch, "state" governs a state space."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model, free of any framework.

    Args:
        name: Its path in the model.
        shape: Its shape.
        kind: What it does.
        axes: The meaning of every axis; empty where nobody knows.
        gates: Matrices packed into the "out" axis (4 for an LSTM, 3 for packed query, key and value).
        gate_names: Their names, where they differ in meaning.
        groups: Groups of channels of a convolution.
        stride: Product of the strides of a transposed convolution or of an input dilation, else 1.
        transposed: Whether it is a transposed convolution's kernel (if grouped: one that packs its inputs).
        kernel: For a bias, the kernel of its layer.
        layer: Type of its layer, as its framework names it.
        roles: What it is in the whole model (see `fanin.graph.roles`).
        inputs: What its layer's inputs come from: the name of an activation, "norm", "data", or empty
            where nobody knows.
        block: Place of its block among the model's repeated blocks, from 0; None outside of them.
        blocks: How many such blocks the model has.
        branch: Weight layers in its residual branch; 0 outside of one and where nobody knows.
        branches: How many residual branches the model has.
        heads: Attention heads that its kernel serves; 0 where nobody knows.
        padding: Row of an embedding that stays zero.
        complex: Whether its values are complex numbers.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind = "unknown"
    axes: tuple[Axis, ...] = ()
    gates: int = 1
    groups: int = 1
    stride: int = 1
    transposed: bool = False
    kernel: Parameter | None = None
    layer: str = ""
    gate_names: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    inputs: str = ""
    block: int | None = None
    blocks: int = 0
    branch: int = 0
    branches: int = 0
    heads: int = 0
    padding: int | None = None
    complex: bool = False

    @property
    def role(self) -> str:
        """Its roles as text, or its kind where it has none."""
        return ", ".join(self.roles) or self.kind
