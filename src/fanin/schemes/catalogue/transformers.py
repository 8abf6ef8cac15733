"""Transformers: scales that depend on depth and on what a projection is for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from fanin.errors import FaninError
from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Rule, Rules
from fanin.schemes.distributions import (
    Constant,
    Distribution,
    Factor,
    Normal,
    PerGate,
    TruncatedNormal,
)
from fanin.schemes.registry import scheme

_PRE_NORM = "a residual stream that is normalized before each branch"


def blocks_of(parameter: Parameter) -> int:
    """Return how many blocks the model has; without blocks there is nothing to scale."""
    return max(parameter.blocks, 1)


def all_normal(sd: float) -> Rule:
    """Return the rule N(0, sd^2)."""
    distribution = Normal(0.0, sd)
    return lambda parameter: distribution


def all_zero(parameter: Parameter) -> Distribution:
    """Return 0 for every value."""
    return Constant(0.0)


def one_over_fan_in(parameter: Parameter) -> Normal:
    """Return N(0, 1 / fan_in)."""
    return Normal(0.0, 1 / math.sqrt(max(fans(parameter).fan_in, 1.0)))


def _packed(parameter: Parameter) -> bool:
    """Return whether a kernel holds query, key and value, in this order."""
    return parameter.roles[:3] == ("query", "key", "value")


@scheme(
    formula="N(0, stddev^2); residual_out / sqrt(2 L); biases 0",
    source="Radford et al. 2019, sec. 2.3; Megatron-LM",
    assumptions=_PRE_NORM,
    needs=("residual_out",),
)
def gpt2(stddev: float = 0.02) -> Rules:
    """Transformers whose stream should not grow with depth."""

    def last(parameter: Parameter) -> Distribution:
        return Normal(0.0, stddev / math.sqrt(2 * blocks_of(parameter)))

    return {
        "kernel": all_normal(stddev),
        "residual_out": last,
        "embedding": all_normal(stddev),
        "bias": all_zero,
    }


@scheme(
    formula="N(0, stddev^2); residual_out / sqrt(2 (l + 1)); head 1 / fan_in, cut at 3 sd",
    source="Zhang et al. 2019, arXiv:1908.11365; Llama, OLMo, BEiT",
    assumptions=_PRE_NORM,
    needs=("residual_out",),
)
def depth_scaled(stddev: float = 0.02) -> Rules:
    """Transformers, later blocks adding less."""

    def last(parameter: Parameter) -> Distribution:
        return Normal(0.0, stddev / math.sqrt(2 * ((parameter.block or 0) + 1)))

    def head(parameter: Parameter) -> Distribution:
        return TruncatedNormal(0.0, 1 / math.sqrt(fans(parameter).fan_in), -3.0, 3.0)

    return {
        "kernel": all_normal(stddev),
        "residual_out": last,
        "head": head,
        "embedding": all_normal(1.0),
        "bias": all_zero,
    }


@scheme(
    formula="Var = 2 / (5 d); residual_out sd = 2 / (L sqrt d)",
    source="Nguyen and Salazar 2019, arXiv:1910.05895; Wang, GPT-J",
    assumptions=_PRE_NORM,
    needs=("residual_out",),
    aliases=("wang_init",),
)
def small_init() -> Rules:
    """Transformers without warm-up."""

    def last(parameter: Parameter) -> Distribution:
        return Normal(0.0, 2 / (blocks_of(parameter) * math.sqrt(fans(parameter).fan_out)))

    def table(parameter: Parameter) -> Distribution:
        return Normal(0.0, math.sqrt(2 / (5 * fans(parameter).fan_out)))

    def small(parameter: Parameter) -> Distribution:
        return Normal(0.0, math.sqrt(2 / (5 * fans(parameter).fan_in)))

    return {"kernel": small, "residual_out": last, "embedding": table, "bias": all_zero}


@scheme(
    formula="Var = 1 / fan_in; queries 1 / (fan_in head_dim)",
    source="Raffel et al. 2020, arXiv:1910.10683; Mesh TensorFlow",
    assumptions="logits that are not divided by sqrt(head_dim)",
    needs=("query",),
)
def t5(head_dim: float = 64.0) -> Rules:
    """Attention without a scale on its logits."""

    def query(parameter: Parameter) -> Distribution:
        plain = one_over_fan_in(parameter)
        small = Normal(0.0, plain.sd / math.sqrt(head_dim))
        return PerGate((small, plain, plain)) if _packed(parameter) else small

    return {"kernel": one_over_fan_in, "query": query, "embedding": all_normal(1.0), "bias": all_zero}


def _xavier(parameter: Parameter, gain: float = 1.0) -> Normal:
    return Normal(0.0, gain * math.sqrt(2 / sum(fans(parameter))))


def _branches(gain: Callable[[int], float]) -> dict[str, Rule]:
    """Return rules that scale what a residual branch passes on: values, outputs and feed-forward kernels."""

    def scaled(parameter: Parameter) -> Distribution:
        small = _xavier(parameter, gain(blocks_of(parameter)) if parameter.block is not None else 1.0)
        plain = _xavier(parameter)
        return PerGate((plain, plain, small)) if _packed(parameter) else small

    def plain(parameter: Parameter) -> Distribution:
        return scaled(parameter) if _packed(parameter) else _xavier(parameter)

    return {"kernel": scaled, "query": plain, "key": plain, "recurrent": _xavier, "bias": all_zero}


@scheme(
    formula="Glorot; values, outputs, feed-forward times (8 L)^(-1/4)",
    source="Wang et al. 2022, arXiv:2203.00555, fig. 2",
    assumptions="the stream is multiplied by (2 L)^(1/4) at each branch; one stack",
    needs=("query",),
)
def deepnorm() -> Rules:
    """Very deep post-norm transformers."""
    return _branches(lambda layers: (8 * layers) ** -0.25)


@scheme(
    formula="Glorot; values, outputs, feed-forward times sqrt(ln 2 L)",
    source="Wang et al. 2022, arXiv:2210.06423",
    assumptions="norms before the output projections; one stack",
    needs=("query",),
)
def sub_ln() -> Rules:
    """Transformers with a second norm inside each branch."""
    return _branches(lambda layers: math.sqrt(math.log(2 * layers)))


@scheme(
    formula="Glorot; values, outputs, feed-forward times .67 L^(-1/4); tables (9 L)^(-1/4)",
    source="Huang et al. 2020, T-Fixup, ICML",
    assumptions="an encoder of L layers without layer norm",
    needs=("query",),
)
def t_fixup() -> Rules:
    """Transformers without norms and warm-up."""

    def table(parameter: Parameter) -> Distribution:
        return Normal(0.0, (9 * blocks_of(parameter)) ** -0.25 / math.sqrt(fans(parameter).fan_out))

    return {**_branches(lambda layers: 0.67 * layers**-0.25), "embedding": table}


@scheme(
    formula="W_q W_k^T = alpha_qk Z + beta_qk I, W_v W_out = alpha_vo Z - beta_vo I; Z_ij ~ N(0, 1 / d)",
    source="Trockman and Kolter 2023, arXiv:2305.09828, sec. 4",
    assumptions="self-attention of one width; it is for attention alone: he_normal + mimetic",
    needs=("query", "key", "value", "attention_out"),
)
def mimetic(
    alpha_qk: float = 0.7, beta_qk: float = 0.7, alpha_vo: float = 0.4, beta_vo: float = 0.4, heads: int = 0
) -> Rules:
    """Attention that starts out as trained attention looks; for vision transformers on little data."""

    def query_key(parameter: Parameter, first: bool) -> Factor:
        count = heads or parameter.heads or _no_heads(parameter)
        return Factor(first, "query_key", attention_of(parameter), count, alpha_qk, beta_qk)

    def value_out(parameter: Parameter, first: bool) -> Factor:
        return Factor(first, "value_out", attention_of(parameter), 1, alpha_vo, -beta_vo)

    def query(parameter: Parameter) -> Distribution:
        if not _packed(parameter):
            return query_key(parameter, True)
        return PerGate((query_key(parameter, True), query_key(parameter, False), value_out(parameter, True)))

    return {
        "query": query,
        "key": lambda p: query_key(p, False),
        "value": lambda p: value_out(p, True),
        "attention_out": lambda p: value_out(p, False),
    }


def attention_of(parameter: Parameter) -> str:
    """Return the path of the attention that a projection belongs to.

    Example:
        >>> attention_of(Parameter("layer.0.attention.self.query.weight", (4, 4)))
        'layer.0.attention'
    """
    parts = re.split(r"[./]", parameter.name)[:-1]
    places = [place for place, part in enumerate(parts) if re.search("attn|attention", part, re.IGNORECASE)]
    return ".".join(parts[: places[-1] + 1]) if places else f"block {parameter.block}"


def _no_heads(parameter: Parameter) -> int:
    raise FaninError(
        f"How many heads {parameter.name} serves is not known.", fix='say it: "mimetic(heads=12)"'
    )
