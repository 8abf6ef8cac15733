"""Graphs of models as they are trained."""

import pytest
import torch
from torch import nn

from fanin.frameworks.torch.graph import signal_graph


def _one(graph, op):
    (node,) = [node for node in graph if node.op == op]
    return node


def test_batch_norm_takes_the_batchs_statistics():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    norm = _one(signal_graph(model, (torch.zeros(5, 3),), train=True), "norm")
    assert norm["train"]
    assert norm["slots"] == ("scale", "offset")
    norm = _one(signal_graph(model, (torch.zeros(5, 3),)), "norm")
    assert not norm["train"]
    assert norm["slots"] == ("scale", "offset", "mean", "variance")


def test_the_model_stays_as_it_is():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    signal_graph(model, (torch.ones(5, 3),), train=True)
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize(("train", "rate"), [(True, 0.3), (False, 0.0)])
def test_dropout(train, rate):
    graph = signal_graph(nn.Dropout(0.3), (torch.zeros(2, 3),), train=train)
    assert _one(graph, "dropout")["rate"] == pytest.approx(rate)


def test_channels_are_dropped_whole():
    node = _one(signal_graph(nn.Dropout2d(0.3), (torch.zeros(2, 3, 4, 4),), train=True), "dropout")
    assert node["shared"] == (2, 3)


def test_paths_are_dropped_whole():
    class Path(nn.Module):
        def forward(self, x):
            if not self.training:
                return x
            keep = 0.8
            noise = x.new_empty((x.shape[0], 1, 1)).bernoulli_(keep)
            return x * noise.div_(keep)

    node = _one(signal_graph(Path(), (torch.zeros(2, 3, 4),), train=True), "dropout")
    assert node["rate"] == pytest.approx(0.2)
    assert node["shared"] == (1, 2)


def test_attention_keeps_its_dropout():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.4, batch_first=True)
    graph = signal_graph(layer, (torch.zeros(2, 3, 8),), train=True)
    assert _one(graph, "attention")["dropout"] == pytest.approx(0.4)
    assert [node["rate"] for node in graph if node.op == "dropout"] == pytest.approx([0.4] * 3)


def test_random_numbers():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x) - torch.empty_like(x).exponential_()

    graph = signal_graph(Noisy(), (torch.zeros(2, 3),))
    assert (_one(graph, "noise")["kind"], _one(graph, "noise").inputs) == ("normal", ("x",))
    assert _one(graph, "opaque")["operator"].startswith("aten.exponential")
