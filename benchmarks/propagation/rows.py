"""The rows of the table: a model, what it reads, which of its layers are neighbours, and how near is near enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from benchmarks.propagation import jax_nets, nets
from benchmarks.torchvision_on_cpu import allow_torchvision


@dataclass(frozen=True)
class Goals:
    """How far a ratio of neighbours may be from the prediction.

    Args:
        forward: Of second moments of outputs.
        backward: Of second moments of gradients.
        queries: E[dw^2] of queries and keys, each for itself.
        gradients: E[dw^2] of all parameters, each for itself.
    """

    forward: float
    backward: float
    queries: float | None = None
    gradients: float | None = None


@dataclass(frozen=True)
class Row:
    """A model of the table.

    Args:
        name: What it is called.
        build: Makes it, with its own first weights.
        inputs: As for `fanin.propagate`.
        chain: Which layers are neighbours, like with like: a pattern of their names.
        goals: How near a prediction has to be.
        scheme: What its weights are drawn from; None for its own first weights.
        train: Whether as in training.
        networks: How many are measured.
        queries: A pattern of the names of the weights that make queries and keys.
        loss: What gradients are of; None for a random cotangent.
        predicted: Makes the model that is predicted, if it is not the same: on the meta device its weights are
            what initializers declare, elsewhere what one network holds.
    """

    name: str
    build: Callable[[], Any]
    inputs: Any
    chain: str
    goals: Goals
    scheme: str | None = None
    train: bool = False
    networks: int = 40
    queries: str | None = None
    loss: str | None = None
    predicted: Callable[[], Any] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What `propagate` and `measure` are both given."""
        return {"inputs": self.inputs, "scheme": self.scheme, "train": self.train, "loss": self.loss}


_MLP = Goals(0.02, 0.05)
_EVAL, _TRAIN = Goals(0.07, 0.10), Goals(0.07, 0.20)
_STREAM = Goals(0.04, 0.07, 0.25)
_RECURRENT = Goals(0.05, 0.05)
_GAINS = {
    "tanh": (nn.Tanh, 2.5361716),
    "relu": (nn.ReLU, 2.0),
    "gelu": (nn.GELU, 2.3516635),
    "silu": (nn.SiLU, 2.8121735),
    "selu": (nn.SELU, 1.0),
}
"""Activations, with gain^2 = 1 / E[f(z)^2]."""


def _mlps(width: int, networks: int) -> list[Row]:
    return [
        Row(
            f"MLP, 10 × {width}, {name}",
            partial(nets.mlp, layer, width),
            (32, width),
            r"fc\d+",
            _MLP,
            f"variance_scaling(scale={scale})",
            networks=networks,
        )
        for name, (layer, scale) in _GAINS.items()
    ]


allow_torchvision()  # transformers imports it too


def _resnet() -> nn.Module:
    import torchvision

    return torchvision.models.resnet18()


def _gpt2(attention: str) -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    options: dict[str, Any] = {
        "n_embd": 256,
        "n_layer": 6,
        "n_head": 4,
        "vocab_size": 1000,
        "n_positions": 64,
    }
    options |= {"bos_token_id": 0, "eos_token_id": 0, "attn_implementation": attention}
    return GPT2LMHeadModel(GPT2Config(**options))


def _llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=256,
            intermediate_size=688,
            num_hidden_layers=6,
            num_attention_heads=8,
            num_key_value_heads=2,
            vocab_size=1000,
        )
    )


def _encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True, norm_first=True, activation="gelu")
    return nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)


_TOKENS = "8x64:tokens(1000)"
_OWN = {
    "inputs": _TOKENS,
    "chain": r"blocks\.\d+",
    "goals": _STREAM,
    "queries": r".*\.(query|key)\.weight",
}
ROWS = [
    *_mlps(512, 160),
    *_mlps(128, 640),
    Row("CNN, 8 × 64-128", nets.cnn, (8, 3, 32, 32), r"conv\d|fc", _EVAL, "he_normal", networks=160),
    Row("ResNet-18, stream, eval", _resnet, (8, 3, 64, 64), r"maxpool|layer\d\.\d", _EVAL, networks=120),
    Row("ResNet-18, stream, train", _resnet, (8, 3, 64, 64), r"maxpool|layer\d\.\d", _TRAIN, train=True),
    Row("Transformer, pre-LN", nets.Transformer, **_OWN),
    Row("Transformer, post-LN", partial(nets.Transformer, "post"), **_OWN),
    Row("Transformer, pre-LN, causal", partial(nets.Transformer, causal=True), **_OWN),
    # As PyTorch makes it, its layers are copies of one another, which no distribution of weights says.
    Row(
        "nn.TransformerEncoder, pre-LN",
        _encoder,
        (8, 64, 256),
        r"layers\.\d+",
        _STREAM,
        "glorot_uniform",
    ),
    Row("GPT-2 (transformers), sdpa", partial(_gpt2, "sdpa"), _TOKENS, r"transformer\.h\.\d+", _STREAM),
    Row("GPT-2 (transformers), eager", partial(_gpt2, "eager"), _TOKENS, r"transformer\.h\.\d+", _STREAM),
    Row(
        "Llama (transformers)",
        _llama,
        _TOKENS,
        r"model\.layers\.\d+",
        _STREAM,
        queries=r".*\.[qk]_proj\.weight",
    ),
    *(
        Row(
            f"{cell.__name__}, 3 × 256, 32 steps",
            partial(nets.Recurrent, cell),
            (8, 32, 256),
            r"layers\.\d",
            _RECURRENT,
            networks=160,
        )
        for cell in (nn.LSTM, nn.GRU)
    ),
    Row("GRU cell, 256, in a loop of 16", nets.Cells, (8, 16, 256), r"cell(#\d+)?", _RECURRENT),
    Row("Residual block, 256, used 8 times", nets.Shared, (8, 256), r"down(#\d+)?", _MLP),
    Row("Flax NNX MLP, 10 × 512, gelu", jax_nets.mlp, (32, 512), r"fc\.\d+", _MLP, "he_normal"),
    Row(
        "Flax NNX transformer, causal",
        jax_nets.transformer,
        "8x64:tokens(1000)",
        r"blocks\.\d+",
        _STREAM,
        "flax_default",
        networks=20,
        queries=r".*\.(query|key)\.kernel",
    ),
    Row(
        "Keras CNN, 6 × 64", jax_nets.keras_cnn, (8, 32, 32, 3), r".*conv\d", _EVAL, "he_normal", networks=80
    ),
]
