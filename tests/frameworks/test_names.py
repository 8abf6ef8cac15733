"""Parameters that no layer explains, known by the names that the common code gives them."""

import pytest

from fanin.frameworks.names import known_by_name, named, of_state_spaces
from fanin.graph.parameter import Parameter

KNOWN = {
    "blocks.0.ls1.gamma": (Parameter("", (8,), layer="LayerScale", block=0), "scale"),
    "stages.1.2.gamma": (Parameter("", (96,), layer="ConvNeXtBlock", block=2), "scale"),
    "features.1.0.layer_scale": (Parameter("", (96, 1, 1), layer="CNBlock", block=0), "scale"),
    "layers.3.resweight": (Parameter("", (1,), layer="ReZero", block=3), "scale"),
    "blocks.1.skipinit_gain": (Parameter("", (), layer="NormFreeBlock", block=1), "scale"),
    "layer1.0.bias1a": (Parameter("", (1,), layer="FixupBlock", block=0), "bias"),
    "model.norm.weight": (Parameter("", (64,), layer="LlamaRMSNorm"), "norm"),
    "act.alpha": (Parameter("", (), layer="Snake"), "unknown"),  # outside of blocks it may be anything
    "block.0.alpha": (Parameter("", (4, 5), layer="Mixer", block=0), "unknown"),
    "fc.weight": (Parameter("", (4, 5), layer="SpectralNorm"), "unknown"),
    "cls_token": (Parameter("", (1, 1, 64), layer="VisionTransformer"), "unknown"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_kinds(name):
    from dataclasses import replace

    parameter, kind = KNOWN[name]
    assert known_by_name(replace(parameter, name=name)).kind == kind


def test_adapters_are_known_in_every_spelling():
    roles = {
        "q_proj.lora_A.default.weight": ("adapter_in",),
        "q_proj.lora_B.default.weight": ("adapter_out",),
        "dense/lora_a": ("adapter_in",),
        "q_proj.weight": (),
    }
    for name, expected in roles.items():
        assert known_by_name(Parameter(name, (8, 64))).roles == expected
    assert known_by_name(Parameter("lora_A.x.bias", (8,), "bias")).roles == ()


def test_gates_are_known_by_their_layer_or_by_their_name():
    lstm = Parameter("lstm.weight_ih_l0", (16, 4), "kernel", gates=2, gate_names=("input", "forget"))
    packed = Parameter("attn.qkv.weight", (12, 4), "kernel", gates=3, gate_names=("query", "key", "value"))
    swiglu = Parameter("mlp.gate_proj.weight", (12, 4), "kernel")
    router = Parameter("moe.gate.weight", (12, 4), "kernel")
    assert [p.roles for p in named([lstm, packed, swiglu, router])] == [("gate",), (), ("gate",), ()]


def test_a_known_kind_is_not_questioned():
    kernel = Parameter("scale", (8,), "kernel", block=0)
    assert known_by_name(kernel) is kernel


def test_a_state_space_is_known_by_its_matrix():
    names = ("m.A_log", "m.D", "m.dt_proj.weight", "m.dt_proj.bias", "other.D", "other.dt_proj.bias")
    found = of_state_spaces([Parameter(name, (8,)) for name in names])
    assert [p.roles for p in found] == [("decay_log",), ("skip",), ("step_kernel",), ("step_bias",), (), ()]
