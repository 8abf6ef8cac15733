"""Models whose signals are predicted against the clock, on the meta device where no memory would hold them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from benchmarks.propagation import nets
from benchmarks.torchvision_on_cpu import allow_torchvision


class Case(NamedTuple):
    """A model with its inputs.

    Args:
        build: Makes it.
        inputs: As for `fanin.propagate`.
        blocks: How many blocks it has, where depth is what changes.
        scheme: What its weights are drawn from, where it is on the meta device and nothing says.
    """

    build: Callable[[], nn.Module]
    inputs: Any
    blocks: int = 0
    scheme: str | None = None


allow_torchvision()  # transformers imports it too


def _resnet50() -> nn.Module:
    import torchvision

    return torchvision.models.resnet50()


def _gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config())


def _llama_70b() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaConfig(
        hidden_size=8192,
        intermediate_size=28672,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        vocab_size=32000,
        max_position_embeddings=4096,
        dtype=torch.bfloat16,
    )
    with torch.device("meta"):
        return LlamaForCausalLM(shape)


def _deep(blocks: int) -> nn.Module:
    with torch.device("meta"):
        return nets.Transformer(causal=True, width=768, heads=12, depth=blocks, context=128)


def _attention(*, causal: bool) -> nn.Module:
    with torch.device("meta"):
        return nets.Attention(768, 12, causal=causal)


CASES = {
    "MLP, 10 × 512": Case(partial(nets.mlp, nn.GELU, 512), (64, 512)),
    "ResNet-50, 8 × 3 × 224²": Case(_resnet50, (8, 3, 224, 224)),
    "GPT-2, 124M, 8 × 128": Case(_gpt2, "8x128:tokens(50257)"),
    "GPT-2, 124M, 8 × 1024": Case(_gpt2, "8x1024:tokens(50257)"),
    "Llama, 70B, on meta, 8 × 128": Case(_llama_70b, "8x128:tokens(32000)"),
    "Llama, 70B, on meta, 8 × 2048": Case(_llama_70b, "8x2048:tokens(32000)"),
    "attention, 12 × 64, 8 × 2048": Case(partial(_attention, causal=False), (8, 2048, 768)),
    "causal attention, 12 × 64, 8 × 2048": Case(partial(_attention, causal=True), (8, 2048, 768)),
    **{
        f"{blocks} blocks of 768, on meta, 8 × 128": Case(
            partial(_deep, blocks), "8x128:tokens(1000)", blocks, "gpt2"
        )
        for blocks in (12, 24, 48)
    },
}
