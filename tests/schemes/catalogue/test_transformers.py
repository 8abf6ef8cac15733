"""Schemes by role on a real transformer: measured second moments against the papers' formulas."""

import math

import numpy as np
import pytest
from torch import nn

import fanin
from fanin.schemes.distributions import PerGate
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
