"""Models of torchvision, timm and transformers, with random weights."""

import pytest
import torch

from fanin.frameworks.torch.graph import signal_graph
from fanin.frameworks.torch.graph.exporting import tensors_of
from frameworks.torch.graph.interpret import interpret

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 60}
LLAMA = SMALL | {"intermediate_size": 48, "num_key_value_heads": 2}
HUGGING_FACE = {
    "BertModel": ("BertConfig", SMALL | {"intermediate_size": 48}),
    "GPT2LMHeadModel": ("GPT2Config", {"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 60}),
    "LlamaForCausalLM": ("LlamaConfig", LLAMA),
    "Qwen3ForCausalLM": ("Qwen3Config", LLAMA | {"head_dim": 8}),
    "T5EncoderModel": (
        "T5Config",
        {"d_model": 32, "d_ff": 48, "num_layers": 2, "num_heads": 4, "d_kv": 8, "vocab_size": 60},
    ),
}
VISION = {
    "convnext_tiny": 64,
    "densenet121": 32,
    "efficientnet_b0": 64,
    "mobilenet_v3_small": 64,
    "resnet18": 64,
    "swin_t": 64,
    "vit_b_16": 224,
}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", HUGGING_FACE)
def test_hugging_face(name, attention):
    _allow()
    hub = pytest.importorskip("transformers")
    config, options = HUGGING_FACE[name]
    torch.manual_seed(0)
    made = getattr(hub, config)(
        **options, attn_implementation=attention, bos_token_id=None, eos_token_id=None
    )
    model = getattr(hub, name)(made).eval()
    graph = _check(model, torch.arange(12).reshape(2, 6))
    if "ForCausalLM" in name or "GPT" in name:
        told = [node.get("causal") or node.get("mask") == "causal" for node in graph]
        assert any(told)


def test_an_encoder_with_a_decoder():
    _allow()
    hub = pytest.importorskip("transformers")
    _, options = HUGGING_FACE["T5EncoderModel"]
    model = hub.T5ForConditionalGeneration(hub.T5Config(**options)).eval()
    ids = torch.arange(8).reshape(2, 4)
    inputs = {"input_ids": ids, "decoder_input_ids": ids + 1}
    graph = signal_graph(model, inputs)
    expected = next(iter(tensors_of(model(**inputs, use_cache=False))))
    torch.testing.assert_close(
        interpret(graph, model, tuple(inputs.values()))[0], expected.detach(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", VISION)
def test_torchvision(name):
    _allow()
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    size = VISION[name]
    _check(getattr(models, name)().eval(), torch.randn(1, 3, size, size))


def test_timm():
    _allow()
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", depth=2).eval()
    _check(model, torch.randn(1, 3, 224, 224))


@torch.no_grad()
def _check(model, x):
    graph = signal_graph(model, (x,))
    assert not [node for node in graph if node.op == "opaque"]
    more = {"use_cache": False} if hasattr(model, "config") else {}
    expected = list(tensors_of(model(x, **more)))
    for found, value in zip(interpret(graph, model, (x,)), expected, strict=True):
        torch.testing.assert_close(found, value, rtol=1e-4, atol=1e-4 * float(value.abs().max()))
    return graph


def _allow():
    """Let these import beside a PyTorch without CUDA."""
    pytest.importorskip("benchmarks.torchvision_on_cpu").allow_torchvision()
