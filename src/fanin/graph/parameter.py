"""A parameter and what each of its axes means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Axis = Literal["in", "out", "tap", "multiplier", "expert"]
"""An axis of a weight: input or output units, taps, a depthwise multiplier, or matrices side by side."""

Kind = Literal[
    "kernel", "recurrent", "bias", "embedding", "norm", "scale", "slope", "state", "unknown"
]  # fmt: skip
"""What a parameter does; "scale" multiplies a branch, "slope" is an activation's, "state" a state space's."""


class Pairs(NamedTuple):
    """Which units of a layer can be paired, each with its neighbour, so that one is the other's negative.

    Args:
        inputs: Values in a row that come from one unit of the layer before (more than 1 behind a flattened
            image), whose outputs reach this layer through an activation alone; 0 where they cannot be paired.
        outputs: The activation through which, and nothing else, its outputs reach other layers, which all
            can pair these inputs; empty where its outputs cannot be paired.
        layers: How many layers follow each other so, this one among them.
        units: The fewest outputs that are passed on from one of these to the next.
        input_links: Links between layers from that of its inputs, which counts, to the end of the longest
            way on; 0 where units do not come in sixteens there, of which eighths could be paired.
        output_links: The same from the link of its outputs.
    """

    inputs: int = 0
    outputs: str = ""
    layers: int = 1
    units: int = 0
    input_links: int = 0
    output_links: int = 0


_UNPAIRED = Pairs()


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
        zero: Whether all of its values are 0 now.
        strides: Of a convolution, along its taps' axes; empty where nobody knows.
        pads: Of a convolution, zeros before the first value along its taps' axes; empty where nobody knows.
        pairs: Which of its inputs and outputs can be paired.
        stream: For what ends a residual branch, what the stream that it adds to starts as: "embedding" where
            it is vectors of tables, normalized only inside of branches; empty where nobody knows.
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
    zero: bool = field(default=False, compare=False)
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    pairs: Pairs = _UNPAIRED
    stream: str = ""

    @property
    def role(self) -> str:
        """Its roles as text, or its kind where it has none."""
        return ", ".join(self.roles) or self.kind
