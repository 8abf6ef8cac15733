"""Schemes that look at a parameter's role in the whole model: transformers, recurrent nets, sine networks."""

from __future__ import annotations

import math
from collections.abc import Callable

from fanin.errors import FaninError
from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Rule
from fanin.schemes.distributions import (
    TRUNCATED_SD,
    Constant,
    Distribution,
    Identity,
    Normal,
    Orthogonal,
    PerGate,
    TruncatedNormal,
    Uniform,
)
from fanin.schemes.entry import Entry

_PRE_NORM = "a residual stream that is normalized before each branch"


def _blocks(parameter: Parameter) -> int:
    """Return how many blocks the model has; without blocks there is nothing to scale."""
    return max(parameter.blocks, 1)


def _packed(parameter: Parameter) -> bool:
    """Return whether a kernel holds query, key and value, in this order."""
    return parameter.roles[:3] == ("query", "key", "value")


def _normal(sd: float) -> Rule:
    return lambda parameter: Normal(0.0, sd)


def _zero(parameter: Parameter) -> Distribution:
    return Constant(0.0)


def _one_over_fan_in(parameter: Parameter) -> Normal:
    return Normal(0.0, 1 / math.sqrt(max(fans(parameter).fan_in, 1.0)))


def _gpt2(stddev: float) -> dict[str, Rule]:
    def last(parameter: Parameter) -> Distribution:
        return Normal(0.0, stddev / math.sqrt(2 * _blocks(parameter)))

    return {"residual_out": last, "embedding": _normal(stddev), "bias": _zero}


def _depth_scaled(stddev: float) -> dict[str, Rule]:
    def last(parameter: Parameter) -> Distribution:
        return Normal(0.0, stddev / math.sqrt(2 * ((parameter.block or 0) + 1)))

    def head(parameter: Parameter) -> Distribution:
        return TruncatedNormal(0.0, 1 / math.sqrt(fans(parameter).fan_in), -3.0, 3.0)

    return {"residual_out": last, "head": head, "embedding": _normal(1.0), "bias": _zero}


def _small(parameter: Parameter) -> Normal:
    """Return N(0, 2 / (5 d)) for a kernel that reads the stream of width d."""
    return Normal(0.0, math.sqrt(2 / (5 * fans(parameter).fan_in)))


def _small_init() -> dict[str, Rule]:
    def last(parameter: Parameter) -> Distribution:
        return Normal(0.0, 2 / (_blocks(parameter) * math.sqrt(fans(parameter).fan_out)))

    def table(parameter: Parameter) -> Distribution:
        return Normal(0.0, math.sqrt(2 / (5 * fans(parameter).fan_out)))

    return {"residual_out": last, "embedding": table, "bias": _zero}


def _t5(head_dim: float) -> dict[str, Rule]:
    def query(parameter: Parameter) -> Distribution:
        plain = _one_over_fan_in(parameter)
        small = Normal(0.0, plain.sd / math.sqrt(head_dim))
        return PerGate((small, plain, plain)) if _packed(parameter) else small

    return {"query": query, "embedding": _normal(1.0), "bias": _zero}


def _xavier(parameter: Parameter, gain: float) -> Normal:
    return Normal(0.0, gain * math.sqrt(2 / sum(fans(parameter))))


def _branches(gain: Callable[[int], float]) -> dict[str, Rule]:
    """Return rules that scale what a residual branch passes on: values, outputs and feed-forward kernels."""

    def scaled(parameter: Parameter) -> Distribution:
        small = _xavier(parameter, gain(_blocks(parameter)) if parameter.block is not None else 1.0)
        plain = _xavier(parameter, 1.0)
        return PerGate((plain, plain, small)) if _packed(parameter) else small

    def plain(parameter: Parameter) -> Distribution:
        return scaled(parameter) if _packed(parameter) else _xavier(parameter, 1.0)

    return {"query": plain, "key": plain, "kernel": scaled, "bias": _zero}


def _t_fixup() -> dict[str, Rule]:
    def table(parameter: Parameter) -> Distribution:
        return Normal(0.0, (9 * _blocks(parameter)) ** -0.25 / math.sqrt(fans(parameter).fan_out))

    return {**_branches(lambda layers: 0.67 * layers**-0.25), "embedding": table}


def _siren(omega0: float) -> Callable[[Parameter], Distribution]:
    def rule(parameter: Parameter) -> Distribution:
        if not parameter.inputs:
            raise FaninError(
                f"Whether {parameter.name} is the first layer is not known: the model cannot be traced.",
                fix='name it in a Policy: {"net.0.*": "siren(omega0=1)"}',
            )
        fan_in = fans(parameter).fan_in
        bound = 1 / fan_in if parameter.inputs == "data" else math.sqrt(6 / fan_in) / omega0
        return Uniform(-bound, bound)

    return rule


BY_ROLE: dict[str, Entry] = {
    "gpt2": Entry(
        lambda stddev: lambda p: Normal(0.0, stddev),
        "transformers whose stream should not grow with depth",
        "N(0, stddev^2); residual_out / sqrt(2 L); biases 0",
        "Radford et al. 2019, sec. 2.3; Megatron-LM",
        _PRE_NORM,
        {"stddev": 0.02},
        _gpt2,
        needs=("residual_out",),
    ),
    "depth_scaled": Entry(
        lambda stddev: lambda p: Normal(0.0, stddev),
        "transformers, later blocks adding less",
        "N(0, stddev^2); residual_out / sqrt(2 (l + 1)); head 1 / fan_in, cut at 3 sd",
        "Zhang et al. 2019, arXiv:1908.11365; Llama, OLMo, BEiT",
        _PRE_NORM,
        {"stddev": 0.02},
        _depth_scaled,
        needs=("residual_out",),
    ),
    "small_init": Entry(
        lambda: _small,
        "transformers without warm-up",
        "Var = 2 / (5 d); residual_out sd = 2 / (L sqrt d)",
        "Nguyen and Salazar 2019, arXiv:1910.05895; Wang, GPT-J",
        _PRE_NORM,
        others=_small_init,
        needs=("residual_out",),
    ),
    "t5": Entry(
        lambda head_dim: _one_over_fan_in,
        "attention without a scale on its logits",
        "Var = 1 / fan_in; queries 1 / (fan_in head_dim)",
        "Raffel et al. 2020, arXiv:1910.10683; Mesh TensorFlow",
        "logits that are not divided by sqrt(head_dim)",
        {"head_dim": 64.0},
        _t5,
        needs=("query",),
    ),
    "deepnorm": Entry(
        lambda: lambda p: _xavier(p, 1.0),
        "very deep post-norm transformers",
        "Glorot; values, outputs, feed-forward times (8 L)^(-1/4)",
        "Wang et al. 2022, arXiv:2203.00555, fig. 2",
        "the stream is multiplied by (2 L)^(1/4) at each branch; one stack",
        others=lambda: _branches(lambda layers: (8 * layers) ** -0.25),
        needs=("query",),
    ),
    "sub_ln": Entry(
        lambda: lambda p: _xavier(p, 1.0),
        "transformers with a second norm inside each branch",
        "Glorot; values, outputs, feed-forward times sqrt(ln 2 L)",
        "Wang et al. 2022, arXiv:2210.06423",
        "norms before the output projections; one stack",
        others=lambda: _branches(lambda layers: math.sqrt(math.log(2 * layers))),
        needs=("query",),
    ),
    "t_fixup": Entry(
        lambda: lambda p: _xavier(p, 1.0),
        "transformers without norms and warm-up",
        "Glorot; values, outputs, feed-forward times .67 L^(-1/4)",
        "Huang et al. 2020, T-Fixup, ICML",
        "an encoder of L layers without layer norm",
        others=_t_fixup,
        needs=("query",),
    ),
    "irnn": Entry(
        lambda stddev: lambda p: Normal(0.0, stddev),
        "recurrent ReLU networks that remember",
        "recurrent I; others N(0, stddev^2); biases 0",
        "Le et al. 2015, arXiv:1504.00941",
        "plain recurrent layers with ReLU",
        {"stddev": 0.001},
        lambda stddev: {"recurrent": lambda p: Identity(1.0), "bias": _zero},
    ),
    "siren": Entry(
        _siren,
        "networks of sines, such as images as functions",
        "first U(+-1 / fan_in); others U(+-sqrt(6 / fan_in) / omega0)",
        "Sitzmann et al. 2020, arXiv:2006.09661, sec. 3.2",
        "sin(omega0 x) after every layer",
        {"omega0": 30.0},
    ),
    "flax_default": Entry(
        lambda: lambda p: TruncatedNormal(0.0, _one_over_fan_in(p).sd / TRUNCATED_SD, -2.0, 2.0),
        "what Flax' layers draw",
        "Var = 1 / fan_in, cut at 2 sd; recurrent orthogonal; tables 1 / features; biases 0",
        "Flax, default_kernel_init, default_embed_init",
        "-",
        others=lambda: {
            "recurrent": lambda p: Orthogonal(1.0),
            "embedding": lambda p: Normal(0.0, 1 / math.sqrt(fans(p).fan_out)),
            "bias": _zero,
        },
    ),
    "huggingface_default": Entry(
        lambda stddev: lambda p: Normal(0.0, stddev),
        "what most models of transformers draw",
        "N(0, stddev^2); biases 0",
        "Hugging Face, PreTrainedModel._init_weights",
        "-",
        {"stddev": 0.02},
        lambda stddev: {"embedding": _normal(stddev), "bias": _zero},
    ),
}
"""Schemes with rules by role, beside those for single kernels."""
