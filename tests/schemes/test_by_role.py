"""Schemes by role on a real transformer: measured second moments against the papers' formulas."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import nn

import fanin
from fanin.errors import FaninError
from fanin.schemes.distributions import Constant, Identity, PerGate, Uniform
from fanin.schemes.plan import InitPlan

D, FF, L, WORDS = 64, 256, 6, 300


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(D, 4, FF, batch_first=True)
        self.table = nn.Embedding(WORDS, D)
        self.body = nn.TransformerEncoder(layer, L, enable_nested_tensor=False)
        self.rnn = nn.RNN(D, D)
        self.head = nn.Linear(D, WORDS)


def xavier(a, b, gain=1.0):
    return gain**2 * 2 / (a + b)


BETA, GAMMA, FIXUP = (8 * L) ** -0.25, math.sqrt(math.log(2 * L)), 0.67 * L**-0.25


def branch(gain):
    """Second moments of query, key, value, out, feed-forward in and out for one gain of the branch."""
    return [xavier(D, D)] * 2 + [xavier(D, D, gain)] * 2 + [xavier(D, FF, gain)] * 2


# Second moments of query, key, value, attention's out, feed-forward in and out (block 2), table, head.
SECOND_MOMENTS = {
    "gpt2": [4e-4] * 3 + [4e-4 / (2 * L), 4e-4, 4e-4 / (2 * L), 4e-4, 4e-4],
    "gpt2(stddev=0.1)": [1e-2] * 3 + [1e-2 / (2 * L), 1e-2, 1e-2 / (2 * L), 1e-2, 1e-2],
    "depth_scaled": [4e-4] * 3 + [4e-4 / 6, 4e-4, 4e-4 / 6, 1.0, 0.98657839256**2 / D],
    "small_init": [2 / (5 * D)] * 3
    + [4 / (L * L * D), 2 / (5 * D), 4 / (L * L * D), 2 / (5 * D), 2 / (5 * D)],
    "t5": [1 / (64 * D), 1 / D, 1 / D, 1 / D, 1 / D, 1 / FF, 1.0, 1 / D],
    "t5(head_dim=16)": [1 / (16 * D), 1 / D, 1 / D, 1 / D, 1 / D, 1 / FF, 1.0, 1 / D],
    "deepnorm": [*branch(BETA), None, xavier(D, WORDS)],
    "sub_ln": [*branch(GAMMA), None, xavier(D, WORDS)],
    "t_fixup": [*branch(FIXUP), (9 * L) ** -0.5 / D, xavier(D, WORDS)],
    "flax_default": [1 / D] * 5 + [1 / FF, 1 / D, 1 / D],
    "huggingface_default": [4e-4] * 8,
    "irnn": [1e-6] * 6 + [None, 1e-6],
}


@pytest.mark.parametrize("label", SECOND_MOMENTS)
def test_second_moments_are_those_of_the_formula(label):
    model = fanin.initialize(Transformer(), label, seed=5)
    plan = fanin.plan(model, label)
    layer = model.body.layers[2]
    weights = [
        *layer.self_attn.in_proj_weight.chunk(3),
        layer.self_attn.out_proj.weight,
        layer.linear1.weight,
        layer.linear2.weight,
        model.table.weight,
        model.head.weight,
    ]
    drawn = {row.parameter.name for row in plan}
    assert ("table.weight" in drawn) == (SECOND_MOMENTS[label][6] is not None)
    for weight, expected in zip(weights, SECOND_MOMENTS[label], strict=True):
        if expected is not None:
            tolerance = 6 * math.sqrt(2 / weight.numel())
            assert float((weight.detach() ** 2).mean()) == pytest.approx(expected, rel=tolerance)
    assert float(model.head.bias.detach().abs().max()) == 0
    assert InitPlan.from_json(plan.to_json()) == plan


def test_later_blocks_add_less_under_depth_scaling():
    plan = fanin.plan(Transformer(), "depth_scaled")
    sds = [plan[f"body.layers.{i}.linear2.weight"].sd for i in range(L)]
    np.testing.assert_allclose(sds, [0.02 / math.sqrt(2 * (i + 1)) for i in range(L)])


def test_recurrent_kernels_of_irnn_are_the_identity():
    model = fanin.initialize(Transformer(), "irnn")
    assert torch.equal(model.rnn.weight_hh_l0, torch.eye(D))
    assert fanin.plan(model, "irnn")["rnn.weight_hh_l0"].distribution == Identity(1.0)
    assert fanin.plan(model, "irnn")["rnn.bias_ih_l0"].distribution == Constant(0.0)


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(30 * x)


def test_siren_tells_the_first_layer_from_the_others():
    plan = fanin.plan(
        nn.Sequential(nn.Linear(2, 64), Sine(), nn.Linear(64, 64), Sine(), nn.Linear(64, 3)), "siren"
    )
    assert plan["0.weight"].distribution == Uniform(-0.5, 0.5)
    bound = math.sqrt(6 / 64) / 30
    assert plan["2.weight"].distribution == plan["4.weight"].distribution == Uniform(-bound, bound)


def test_sirens_signals_stay():
    """At great width the variance of 30 x goes to v = 2 Var sin(N(0, v)) = 1 - exp(-2 v)."""
    layers = [nn.Linear(2, 512), Sine()]
    for _ in range(7):
        layers += [nn.Linear(512, 512), Sine()]
    model = fanin.initialize(nn.Sequential(*layers), "siren", seed=1)
    x = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    v = brentq(lambda v: 1 - math.exp(-2 * v) - v, 0.1, 2)
    with torch.no_grad():
        assert float((30 * model[:-1](x)).var()) == pytest.approx(v, rel=0.1)


class Untraceable(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        return self.fc(x) if x.sum() > 0 else x


def test_siren_does_not_guess_the_first_layer():
    with pytest.raises(FaninError, match=r"Whether fc\.weight is the first layer is not known"):
        fanin.plan(Untraceable(), "siren")


def test_a_model_without_the_roles_is_told_so():
    notes = fanin.plan(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)), "gpt2").notes
    assert notes == ("The rule for 'residual_out' reaches no parameter.",)


def test_auto_and_presets_need_no_roles():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    assert [fanin.plan(model, label).notes for label in ("auto", "huggingface_default", "siren")] == [()] * 3


def test_packed_projections_are_told_from_the_gates_of_a_gru():
    model = nn.ModuleDict({"attention": nn.MultiheadAttention(8, 2), "gru": nn.GRU(8, 8)})
    plan = fanin.plan(model, "t5")
    assert isinstance(plan["attention.in_proj_weight"].distribution, PerGate)
    assert not isinstance(plan["gru.weight_ih_l0"].distribution, PerGate)


def test_compare_says_that_it_does_not_look_at_roles_yet():
    with pytest.raises(FaninError, match="gpt2 has rules for residual_out, embedding"):
        fanin.compare(schemes=["gpt2"], seeds=1)
