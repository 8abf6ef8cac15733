"""Graphs of whole models compute what the models compute."""

import pytest
import torch
from torch import nn

from fanin.frameworks.torch.graph import signal_graph
from frameworks.torch.graph.interpret import interpret, interpret_layers
from frameworks.torch.graph.models import (
    GPT,
    Attention,
    Encoder,
    Llama,
    Normed,
    Recurrent,
    Squeeze,
    cnn,
    resnet,
)

IDS = torch.arange(14).reshape(2, 7) % 11


def _floats(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


MODELS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(inplace=True), nn.Linear(8, 3)), (_floats(4, 5),)),
    "cnn": (cnn, (_floats(2, 3, 19, 17),)),
    "resnet": (resnet, (_floats(2, 3, 33, 33),)),
    "squeeze": (Squeeze, (_floats(2, 4, 6, 6),)),
    "post-norm encoder": (lambda: Encoder(False), (_floats(2, 5, 16),)),
    "pre-norm encoder": (lambda: Encoder(True), (_floats(2, 5, 16),)),
    "attention": (Attention, (_floats(2, 5, 16), _floats(2, 3, 16))),
    "attention of two widths": (lambda: Attention(kdim=8, vdim=8), (_floats(2, 5, 16), _floats(2, 3, 8))),
    "attention to itself": (lambda: Attention(add_bias_kv=True), (_floats(2, 5, 16), _floats(2, 5, 16))),
    "gpt": (GPT, (IDS,)),
    "llama": (Llama, (IDS,)),
    "lstm": (lambda: Recurrent(nn.LSTM), (_floats(3, 4, 6),)),
    "projected lstm": (lambda: Recurrent(nn.LSTM, proj_size=3), (_floats(3, 4, 6),)),
    "gru": (lambda: Recurrent(nn.GRU), (_floats(3, 4, 6),)),
    "rnn": (lambda: Recurrent(nn.RNN), (_floats(3, 4, 6),)),
    "relu rnn": (lambda: Recurrent(nn.RNN, nonlinearity="relu", bias=False), (_floats(3, 4, 6),)),
    "normed weights": (Normed, (_floats(2, 7, 6),)),
}


def _made(name):
    torch.manual_seed(0)
    make, inputs = MODELS[name]
    model = make().eval()
    for module in model.modules():  # so that a mistake in the statistics shows
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.weight)
    return model, inputs


@pytest.mark.parametrize("name", MODELS)
def test_a_graph_computes_what_the_model_computes(name):
    model, inputs = _made(name)
    graph = signal_graph(model, inputs)
    with torch.no_grad():
        returned = model(*inputs)
    expected = [returned] if isinstance(returned, torch.Tensor) else list(returned)
    found = interpret(graph, model, inputs)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_each_layers_node_computes_what_the_layer_returns(name):
    model, inputs = _made(name)
    returned: dict[str, torch.Tensor] = {}

    def keep(path):
        def hook(module, args, result):
            returned.setdefault(path, (result[0] if isinstance(result, tuple) else result).clone())

        return hook

    for path, module in model.named_modules():
        if path and "parametrizations" not in path:
            module.register_forward_hook(keep(path))
    with torch.no_grad():
        model(*inputs)
    found = interpret_layers(signal_graph(model, inputs), model, inputs)
    assert set(found) >= set(returned)
    for path, value in returned.items():
        torch.testing.assert_close(
            found[path], value, rtol=1e-4, atol=1e-5, msg=lambda m, p=path: f"{p}: {m}"
        )


@pytest.mark.parametrize("name", MODELS)
def test_a_model_on_the_meta_device_has_the_same_graph(name):
    make, inputs = MODELS[name]
    real = signal_graph(make().eval(), inputs)
    with torch.device("meta"):
        model = make().eval()
    graph = signal_graph(model, tuple(value.to("meta") for value in inputs))
    assert graph.layers == real.layers
    if name not in ("gpt", "normed weights"):  # whose constants in buffers have no values there
        assert [(node.op, node.shape, node.inputs) for node in graph] == [
            (node.op, node.shape, node.inputs) for node in real
        ]


def test_what_is_not_understood_is_opaque_and_named():
    graph = signal_graph(nn.Sequential(nn.Linear(3, 3), nn.Flatten(), _Sorted()), (_floats(2, 3),))
    assert [node["operator"] for node in graph if node.op == "opaque"] == ["aten.sort"]


class _Sorted(nn.Module):
    def forward(self, x):
        return x.sort(-1).values
