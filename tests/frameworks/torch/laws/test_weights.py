"""Every parameter and buffer with its law: ties, gates, plans."""

import math

import pytest
import torch
from torch import nn

import fanin
from fanin.frameworks.torch.graph import signal_graph
from fanin.frameworks.torch.laws import recorded, weights_of
from fanin.graph.signal import Law, Weight
from fanin.schemes.laws import laws_of


class Tied(nn.Module):
    """A head that is the table."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(9, 4), nn.Linear(4, 9, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids):
        return self.head(self.table(ids))


IDS = torch.zeros(2, 3, dtype=torch.long)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_tied_weight_is_one(device):
    with torch.device(device):
        model = Tied()
    graph = signal_graph(model, (IDS,))
    (weight,) = graph.weights
    assert weight.name == "table.weight"
    assert weight.tied == ("head.weight",)
    assert len([node for node in graph if node.op == "parameter"]) == 1


def test_a_plan_may_know_a_tied_weight_by_its_other_name():
    given = Weight("head.weight", (9, 4), Law(0.0, 0.25), source="plan")
    weights = weights_of(Tied(), {"head.weight": given}).weights
    assert weights["table.weight"].source == "plan"
    assert weights["table.weight"].law.variance == 0.25


def test_values_have_the_laws_of_their_gates():
    layer = nn.LSTM(20, 30)
    with torch.no_grad():
        layer.bias_ih_l0[30:60] = 1.0
        nn.init.orthogonal_(layer.weight_hh_l0[:30])
    weights = weights_of(layer, {}).weights
    assert [law.mean == 1.0 for law in weights["bias_ih_l0"].parts] == [False, True, False, False]
    assert [law.orthogonal for law in weights["weight_hh_l0"].parts] == [True, False, False, False]
    assert weights["weight_ih_l0"].axis == 0


def test_declared_gates_have_parts():
    class Forgetting(nn.LSTM):
        def reset_parameters(self):
            super().reset_parameters()
            nn.init.ones_(self.bias_ih_l0[5:10])

    weight = weights_of(recorded(lambda: Forgetting(4, 5)), {}).weights["bias_ih_l0"]
    assert weight.source == "declared"
    assert [law.mean for law in weight.parts] == [0.0, 1.0, 0.0, 0.0]


def test_a_plan_is_taken_before_values():
    model = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
    graph = signal_graph(model, (torch.zeros(2, 100),), laws=laws_of(fanin.plan(model, "he_normal")))
    assert graph.weight["0.weight"].source == "plan"
    assert graph.weight["0.weight"].law.variance == pytest.approx(2 / 100)


def test_frozen_parameters_and_buffers_are_not_trained():
    model = nn.BatchNorm1d(3)
    model.bias.requires_grad_(False)
    weights = weights_of(model, {}).weights
    assert {name: weight.trainable for name, weight in weights.items()} == {
        "weight": True,
        "bias": False,
        "running_mean": False,
        "running_var": False,
        "num_batches_tracked": False,
    }
    assert weights["running_var"].law.mean == 1.0


def test_recorded_buffers_keep_their_values():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("rates", 1.0 / 100 ** (torch.arange(0, 4) / 4))

        def forward(self, x):
            return x * self.rates

    graph = signal_graph(recorded(Turned), (torch.zeros(2, 4),))
    (node,) = [node for node in graph if node.op == "constant"]
    assert node["value"] == pytest.approx(Turned().rates.tolist())


def test_unknown_laws_are_told():
    class Drawing(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)
            nn.init.normal_(self.fc.weight)

        def forward(self, x):
            return self.fc(x)

    with torch.device("meta"):
        model = Drawing()
    graph = signal_graph(model, (torch.zeros(2, 3),))
    assert [weight.law for weight in graph.weights] == [None, None]
    assert "fc.weight" in graph.notes[0]
    assert "the constructor of Drawing draws" in graph.notes[0]
    assert signal_graph(recorded(Drawing), (torch.zeros(2, 3),)).weight["fc.weight"].law.variance == 1.0


@pytest.mark.parametrize("scheme", ["he_normal", "orthogonal"])
def test_a_plan_of_a_normed_weight_is_that_of_its_parts(scheme):
    torch.manual_seed(0)
    model = nn.utils.parametrizations.weight_norm(nn.Linear(60, 80))
    plan = fanin.plan(model, scheme)
    weights = weights_of(model, laws_of(plan)).weights
    fanin.apply(plan, model, seed=0)
    for name, parameter in model.named_parameters():
        law = weights[name].law
        tolerance = 6 / math.sqrt(parameter.numel())
        assert float(parameter.square().mean()) == pytest.approx(law.second_moment, rel=tolerance)
    length = weights["parametrizations.weight.original0"].law
    assert length.mean == pytest.approx(float(model.parametrizations.weight.original0.mean()), rel=0.02)


def test_a_plan_of_a_spectral_norm_is_that_of_its_part():
    model = nn.utils.parametrizations.spectral_norm(nn.Linear(60, 80))
    weights = weights_of(model, laws_of(fanin.plan(model, "he_normal"))).weights
    assert weights["parametrizations.weight.original"].law.variance == pytest.approx(2 / 60)


def test_a_plan_of_another_parametrization_is_unknown():
    model = nn.utils.parametrizations.orthogonal(nn.Linear(6, 6))
    weights = weights_of(model, laws_of(fanin.plan(model, "he_normal"))).weights
    assert weights["parametrizations.weight.original"].law is None


def test_notes_say_what_would_show_a_tied_weight():
    with torch.device("meta"):
        model = nn.ModuleDict({"table": nn.Embedding(10, 4), "head": nn.Linear(4, 10)})
    model["head"].weight = model["table"].weight
    (note,) = weights_of(model, {}).notes
    assert "Linear shares it with a layer that draws it otherwise" in note
    assert "the function that makes the model" in note
