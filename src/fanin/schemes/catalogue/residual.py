"""Residual networks: branches that start small, or at nothing."""

from __future__ import annotations

import math

from fanin.errors import FaninError
from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Decision, Rules
from fanin.schemes.distributions import Constant, Distribution, Normal
from fanin.schemes.gains import fed_variance_gain
from fanin.schemes.registry import scheme

# Of CaiT: the deeper the network, the less each branch adds at first.
_LAYER_SCALES = ((18, 0.1), (24, 1e-5), (math.inf, 1e-6))


@scheme(
    formula="He; in branches of m layers times L^(-1/(2 m - 2)); last of a branch and head 0; multipliers 1",
    source="Zhang et al. 2019, arXiv:1901.09321, sec. 3.3",
    assumptions="residual branches of two layers or more, without norms",
    needs=("residual_out",),
)
def fixup(layers: int = 0) -> Rules:
    """Residual networks without norms; m is counted in the model, or given as `layers`."""

    def kernel(parameter: Parameter) -> Distribution:
        if parameter.block is None and not parameter.branch:
            return _he(parameter)
        deep = layers or parameter.branch or _unknown_branch(parameter)
        factor = max(parameter.branches, 1) ** (-1 / (2 * deep - 2)) if deep > 1 else 1.0
        return Normal(0.0, factor * _he(parameter).sd)

    zero = Constant(0.0)
    return {
        "kernel": kernel,
        "shortcut": _he,
        "residual_out": lambda p: Decision(zero, "fixup: last of its branch"),
        "head": lambda p: Decision(zero, "fixup: head"),
        "scale": lambda p: Decision(Constant(1.0), "fixup: multiplier"),
        "bias": lambda p: zero,
    }


def _he(parameter: Parameter) -> Normal:
    """Return He's normal, for ReLU where nobody knows what feeds the layer."""
    gain = fed_variance_gain(parameter) if parameter.inputs else 2.0
    return Normal(0.0, math.sqrt(gain / max(fans(parameter).fan_in, 1.0)))


def _unknown_branch(parameter: Parameter) -> int:
    raise FaninError(
        f"How many layers the branch of {parameter.name} has is not known: the model cannot be traced.",
        fix='say it: "fixup(layers=2)"',
    )


@scheme(
    formula="the scalar that multiplies a residual branch = alpha",
    source="De and Smith 2020, arXiv:2002.10444; Bachlechner et al. 2020, arXiv:2003.04887",
    assumptions="residual branches with a multiplier; it is for these alone: he_normal + skipinit",
    needs=("scale",),
    aliases=("rezero",),
)
def skipinit(alpha: float = 0.0) -> Rules:
    """Residual branches that start at nothing, by their multipliers."""
    return {"scale": lambda p: Constant(alpha)}


@scheme(
    formula="gamma = .1 up to 18 blocks, 1e-5 up to 24, 1e-6 beyond",
    source="Touvron et al. 2021, arXiv:2103.17239, sec. 2",
    assumptions="residual branches with a multiplier per channel; for these alone: gpt2 + layer_scale",
    needs=("scale",),
)
def layer_scale(gamma: float = 0.0) -> Rules:
    """Residual branches that start small, by their multipliers; gamma 0 goes by depth."""

    def by_depth(parameter: Parameter) -> Distribution:
        chosen = next(value for most, value in _LAYER_SCALES if parameter.blocks <= most)
        return Constant(gamma or chosen)

    return {"scale": by_depth}


@scheme(
    formula="the scale of the norm that ends a residual branch = 0",
    source="Goyal et al. 2017, arXiv:1706.02677, sec. 5.1",
    assumptions="norms at the ends of branches, as in ResNet; for these alone: he_normal + zero_gamma",
    needs=("residual_norm",),
)
def zero_gamma() -> Rules:
    """Residual branches that start at nothing, by their last norm."""
    return {"residual_norm": lambda p: Constant(0.0)}
