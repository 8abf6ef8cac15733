"""Width: first weights and learning rates that are tuned once for all widths (muP)."""

from __future__ import annotations

import math
from typing import Literal

from fanin.errors import FaninError
from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Decision, Rules
from fanin.schemes.distributions import Constant, Normal
from fanin.schemes.registry import scheme


@scheme(
    formula="Var = gain / fan_in, head / r; learning rates: Adam hidden, head / r; SGD inputs r, head / r",
    source="Yang et al. 2022, arXiv:2203.03466, table 3",
    assumptions="r = width / the width that was tuned; attention logits divided by d; fanin.optimizer_groups",
    needs=("head",),
)
def mup(width_mult: float = 1.0, gain: float = 1.0, optimizer: Literal["adam", "sgd"] = "adam") -> Rules:
    """Tune at a small width, train at width_mult times that."""
    if width_mult <= 0:
        raise FaninError(f"mup has width_mult={width_mult:g}.", expected="a positive ratio of widths")
    # Table 3, relative to the tuned width: of input-like, hidden and output weights.
    like_input, hidden, output = (1.0, 1 / width_mult, 1 / width_mult) if optimizer == "adam" else (
        width_mult, 1.0, 1 / width_mult
    )  # fmt: skip

    def sd(parameter: Parameter) -> float:
        return math.sqrt(gain / max(fans(parameter).fan_in, 1.0))

    def kernel(parameter: Parameter) -> Decision:
        if parameter.inputs == "data":
            return Decision(Normal(0.0, sd(parameter)), "mup: reads the data", like_input)
        if not parameter.inputs and parameter.block is None:
            raise FaninError(
                f"Whether {parameter.name} reads the data is not known: the model cannot be traced.",
                fix='give it its role: roles={"embed.*": "embedding"}',
            )
        return Decision(Normal(0.0, sd(parameter)), "mup: hidden", hidden)

    return {
        "kernel": kernel,
        "recurrent": lambda p: Decision(Normal(0.0, sd(p)), "mup: hidden", hidden),
        "head": lambda p: Decision(Normal(0.0, sd(p) / math.sqrt(width_mult)), "mup: head", output),
        "embedding": lambda p: Decision(Normal(0.0, 1.0), "mup: table", like_input),
        "bias": lambda p: Decision(Constant(0.0), "mup: bias", like_input),
    }
