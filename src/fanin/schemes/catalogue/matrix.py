"""Whole matrices: orthogonal, identity, sparse, and sub-pixel convolutions."""

from __future__ import annotations

import math
from typing import Literal

from fanin.errors import FaninError
from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.catalogue.scaling import of_variance
from fanin.schemes.decision import Rules
from fanin.schemes.distributions import (
    ICNR,
    DeltaOrthogonal,
    Distribution,
    HadamardIdentity,
    Identity,
    Orthogonal,
    Sparse,
)
from fanin.schemes.matrices import matrices
from fanin.schemes.registry import scheme


@scheme(
    formula="gain Q, Q Haar-orthogonal",
    source="Saxe et al. 2014, arXiv:1312.6120",
    assumptions="a matrix (everything else, last axis)",
    aliases=("Orthogonal",),
)
def orthogonal(gain: float = 1.0) -> Rules:
    """Keeps lengths and angles through linear layers."""
    return {"kernel": lambda p: Orthogonal(gain)}


@scheme(
    formula="gain max(sqrt(out / in), 1) Q, Q Haar-orthogonal",
    source="Martens et al. 2021, arXiv:2110.01765, sec. 5",
    assumptions="a matrix (everything else, last axis)",
)
def scaled_orthogonal(gain: float = 1.0) -> Rules:
    """Orthogonal, with the mean square of the signals kept where a layer widens."""

    def rule(parameter: Parameter) -> Distribution:
        inside = matrices(parameter)
        inputs = inside.inputs * math.prod(inside.taps)
        return Orthogonal(gain * math.sqrt(max(inside.outputs / inputs, 1.0)))

    return {"kernel": rule}


@scheme(
    formula="gain Q at the centre tap, 0 elsewhere",
    source="Xiao et al. 2018, arXiv:1806.05393, alg. 1",
    assumptions="a convolution; linear or tanh-like units",
)
def delta_orthogonal(gain: float = 1.0) -> Rules:
    """Keeps lengths through very deep convolutions."""
    return {"kernel": lambda p: DeltaOrthogonal(gain)}


@scheme(
    formula="gain I",
    source="Le et al. 2015, arXiv:1504.00941",
    assumptions="a matrix",
    aliases=("Identity", "dirac"),
)
def identity(gain: float = 1.0) -> Rules:
    """Passes signals on as they are, through the centre tap of a convolution."""
    return {"kernel": lambda p: Identity(gain)}


@scheme(
    formula="N(0, stddev^2) for `count` inputs of each unit, 0 for the others",
    source="Martens 2010, Deep learning via Hessian-free optimization, sec. 5",
    assumptions="units that should differ in what they see",
)
def sparse(count: int = 15, stddev: float = 1.0) -> Rules:
    """Few inputs a unit: units do not saturate, however wide the layer."""
    return {"kernel": lambda p: Sparse(count, stddev)}


@scheme(
    formula="one sub-kernel of Var = gain^2 / fan_in, repeated for all r^taps sub-pixels",
    source="Aitken et al. 2017, arXiv:1707.02937, sec. 3.2",
    assumptions="the convolution before a pixel shuffle; name it in a Policy",
)
def icnr(
    upscale: int = 2,
    gain: float = math.sqrt(2),
    order: Literal["channel_first", "block_first"] = "channel_first",
) -> Rules:
    """Sub-pixel convolutions without checkerboards; order "channel_first" is torch.nn.PixelShuffle's."""

    def rule(parameter: Parameter) -> Distribution:
        if "tap" not in parameter.axes:
            raise FaninError(
                f"icnr is for convolutions; {parameter.name} is none.", fix='Policy({"upsample.*": "icnr"})'
            )
        inner = of_variance(gain**2 / fans(parameter).fan_in, "truncated_normal", parameter)
        return ICNR(inner, upscale ** parameter.axes.count("tap"), order)

    return {"kernel": rule}


@scheme(
    formula="partial identity; where a layer widens, Hadamard H / 2^(m/2), m = ceil(log2 out)",
    source="Zhao et al. 2022, arXiv:2110.12661, alg. 1",
    assumptions="residual or normalized networks: nothing is random",
    aliases=("ZerO",),
)
def hadamard() -> Rules:
    """Nothing random: identities, and Hadamard matrices where symmetry must break."""
    return {"kernel": lambda p: HadamardIdentity()}
