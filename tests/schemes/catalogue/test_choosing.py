"""`auto` against what it promises: second moments that stay, measured in the models themselves."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.schemes.distributions import Constant, Normal, Orthogonal, Paired, TruncatedNormal

ACTIVATIONS = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "selu": nn.SELU,
    "leaky_relu": lambda: nn.LeakyReLU(0.3),
}


def mlp(activation, depth, width=256):
    layers = [nn.Linear(width, width)]
    for _ in range(depth - 1):
        layers += [activation(), nn.Linear(width, width)]
    return nn.Sequential(*layers)


def second_moments(model, x):
    """Return the second moment after each layer with weights."""
    found = []
    with torch.no_grad():
        for layer in model:
            x = layer(x)
            if isinstance(layer, nn.Linear):
                found.append(float((x**2).mean()))
    return np.array(found)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_ten_layers_keep_the_second_moment_at_one(name):
    x = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    seeds = [
        second_moments(fanin.initialize(mlp(ACTIVATIONS[name], 10), "auto", seed=seed), x)
        for seed in range(5)
    ]
    assert np.abs(np.log(np.mean(seeds, axis=0))).max() < math.log(1.5)


def test_the_gain_is_the_one_of_what_feeds_the_layer():
    plan = fanin.plan(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)), "auto")
    # (16 x 8) is taller than wide: its columns are orthonormal, times sqrt(16 / 8) for the variance 1 / 8.
    assert plan["0.weight"].sd ** 2 == pytest.approx(1 / 8)
    assert plan["2.weight"].sd ** 2 == pytest.approx(fanin.gain("tanh").gain ** 2 / 16)
    assert isinstance(plan["2.weight"].distribution, Orthogonal)
    assert "tanh feeds it" in plan["2.weight"].reason
    assert plan["0.weight"].reason.startswith("Var = 1 / fan_in: inputs have second moment 1")


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "leaky_relu"])
def test_fifty_layers_keep_every_network_s_signal_and_gradient(name):
    """Gaussian weights of the same gain drift by factors of 2 (ReLU) to 1e6 (SiLU)."""
    model = fanin.initialize(mlp(ACTIVATIONS[name], 50), "auto", seed=3)
    x = torch.randn(64, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    np.testing.assert_allclose(second_moments(model, x), float((x.detach() ** 2).mean()), rtol=0.1)
    y = model(x)
    cotangent = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad(y, x, cotangent)
    assert float((gradient**2).mean()) == pytest.approx(1, abs=0.1)


def test_pairs_are_said_so():
    plan = fanin.plan(mlp(nn.GELU, 30), "auto")
    assert "in pairs w, -w, so that gelu does not drift with depth" in plan["2.weight"].reason
    assert isinstance(plan["2.weight"].distribution, Paired)


def test_a_few_layers_are_not_paired_where_that_costs_something():
    for activation, kind in ((nn.SiLU, Orthogonal), (nn.ReLU, Paired)):
        plan = fanin.plan(mlp(activation, 4), "auto")
        assert isinstance(plan["2.weight"].distribution, kind)
    assert all(row.distribution != Paired for row in fanin.plan(mlp(nn.SiLU, 4), "auto"))


def ratios(model, x):
    """Return the worst ratios of neighbours' second moments, forward and backward."""
    found = []
    for layer in model:
        x = layer(x)
        if isinstance(layer, nn.Linear):
            x.retain_grad()
            found.append(x)
    x.backward(torch.randn(x.shape, generator=torch.Generator().manual_seed(1)))
    moments = [[float((y**2).mean()) for y in ys] for ys in (found, [y.grad for y in found])]
    return np.exp(np.abs(np.diff(np.log(moments))).max(axis=1))


@pytest.mark.parametrize("name", ["gelu", "silu"])
def test_neighbours_hardly_differ_where_pairs_end_slowly(name):
    """All at once, SiLU would change the gradient by 0.76; without pairs every layer changes the signal."""
    x = torch.randn(64, 512, generator=torch.Generator().manual_seed(0))
    models = [fanin.initialize(mlp(ACTIVATIONS[name], 10, 512), "auto", seed=seed) for seed in range(7)]
    forward, backward = np.median([ratios(model, x) for model in models], axis=0)
    assert forward < 1.03
    assert backward < 1.09


def test_pairs_that_end_slowly_are_said_so():
    plan = fanin.plan(mlp(nn.SiLU, 10), "auto")
    reasons = [row.reason for row in plan if row.parameter.kind == "kernel"]
    assert ["3 of 8 units in pairs" in reason for reason in reasons] == [False] * 8 + [True, True]
    assert [row.distribution.output_eighths for row in plan if row.parameter.kind == "kernel"][-4:-1] == [
        7,
        5,
        3,
    ]
    assert fanin.InitPlan.from_dict(plan.to_dict()) == plan


def test_units_that_stand_alone_and_pairs_add_the_same_to_every_output():
    plan = fanin.plan(mlp(nn.SiLU, 10), "auto")
    inputs = plan["18.weight"].distribution
    assert inputs.alone == pytest.approx(fanin.gain("silu").gain / math.sqrt(2))
    share = inputs.input_eighths / 8
    second = share / 2 + (1 - share) * inputs.alone**2 / fanin.gain("silu").gain ** 2
    assert 256 * plan["18.weight"].sd ** 2 / (
        share + (1 - share) * inputs.alone**2
    ) * second == pytest.approx(1)


def images():
    """Return convolutions of groups, strides and a transposed one, all of whose units come in sixteens."""
    layers = [nn.Conv2d(3, 32, 3, padding=1)]
    layers += [nn.SiLU(), nn.Conv2d(32, 32, 3, padding=1, groups=2)]
    layers += [nn.SiLU(), nn.Conv2d(32, 64, 3, stride=2, padding=1)]
    layers += [nn.SiLU(), nn.ConvTranspose2d(64, 32, 2, stride=2, groups=2)]
    return nn.Sequential(
        *layers, nn.SiLU(), nn.Conv2d(32, 16, 1), nn.SiLU(), nn.Flatten(), nn.Linear(16 * 144, 64)
    )


def test_pairs_end_slowly_in_convolutions_and_behind_flattened_images():
    plan = fanin.plan(images(), "auto")
    kernels = [row.distribution for row in plan if row.parameter.kind == "kernel"]
    assert [kernel.output_eighths for kernel in kernels] == [8, 8, 7, 5, 3, 8]
    assert [(kernel.inputs, kernel.input_eighths) for kernel in kernels[-2:]] == [(1, 5), (144, 3)]
    x = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    found = []
    for seed in range(10):
        model = fanin.initialize(images(), "auto", seed=seed)
        with torch.no_grad():
            found.append([float((model[:n](x) ** 2).mean()) for n in (7, 9, 12)])
    np.testing.assert_allclose(np.mean(found, axis=0)[1:] / np.mean(found, axis=0)[:-1], 1, atol=0.1)


def test_an_unstable_gain_is_said_so():
    plan = fanin.plan(nn.Sequential(nn.Linear(4, 5), nn.GELU(), nn.Linear(5, 4)), "auto")
    assert "(unstable: drifts with depth)" in plan["2.weight"].reason


def test_deep_convolutions_lose_nothing_at_borders():
    layers = [nn.Conv2d(3, 16, 3, padding=1)]
    for _ in range(16):
        layers += [nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1)]
    layers += [nn.ReLU(), nn.Conv2d(16, 64, 3, stride=2, padding=1)]
    model = fanin.initialize(nn.Sequential(*layers), "auto", seed=1)
    x = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        first = float((model[0](x) ** 2).mean())
        assert float((model(x) ** 2).mean()) == pytest.approx(first, rel=1e-4)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x):
        return torch.relu(x + self.bn(self.conv(x)))


def test_the_norms_that_end_branches_share_one():
    plan = fanin.plan(nn.Sequential(*(Residual() for _ in range(4))), "auto")
    assert plan["2.bn.weight"].distribution == Constant(1 / 2)
    assert "2.bn.bias" in {kept.name for kept in plan.untouched}


def test_branches_add_as_much_as_a_stream_of_table_vectors_starts_with():
    layer = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, 3, norm=nn.LayerNorm(32), enable_nested_tensor=False)
    plan = fanin.plan(nn.Sequential(nn.Embedding(9, 32), encoder), "auto")
    assert plan["1.layers.0.linear2.weight"].sd ** 2 == pytest.approx(1 / (64 * 6 * 32))


def test_an_lstm_above_an_lstm_gets_twice_the_gain():
    plan = fanin.plan(nn.LSTM(8, 8, num_layers=2), "auto")
    assert plan["weight_ih_l1"].sd == pytest.approx(2 * plan["weight_ih_l0"].sd)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls_token, self.pos_embed = (
            nn.Parameter(torch.zeros(1, 1, 16)),
            nn.Parameter(torch.zeros(1, 5, 16)),
        )
        self.fc = nn.Linear(16, 16)


def test_a_class_token_is_as_large_as_what_stands_beside_it():
    plan = fanin.plan(Tokens(), "auto")
    assert plan["cls_token"].distribution == Normal(0.0, 1.0)
    assert plan["pos_embed"].distribution == Normal(0.0, 1 / 4)
    assert {kept.name for kept in fanin.plan(Tokens(), "he_normal").untouched} == {"cls_token", "pos_embed"}


class Untraceable(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) if x.sum() > 0 else x


def test_what_is_not_known_is_said_so():
    row = fanin.plan(Untraceable(), "auto")["fc.weight"]
    assert row.reason == "Var = 1 / fan_in: fed by what is not known, taken to have second moment 1"
    assert isinstance(row.distribution, TruncatedNormal)


def test_a_transformer():
    layer = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True)
    model = nn.Sequential(nn.Embedding(9, 32), nn.TransformerEncoder(layer, 3, enable_nested_tensor=False))
    plan = fanin.plan(model, "auto")
    assert plan["0.weight"].distribution == Normal(0.0, 1 / math.sqrt(32))
    assert plan["1.layers.0.linear2.weight"].sd ** 2 == pytest.approx(1 / (64 * 6))
    assert {kept.reason for kept in plan.untouched} == {"norms stay as they are"}


def test_convolutions_of_every_kind_keep_the_second_moment():
    model = nn.Sequential(
        nn.Conv2d(8, 16, 3, groups=4),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 8, 4, stride=2),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3),
    )
    x = torch.randn(8, 8, 24, 24, generator=torch.Generator().manual_seed(0))
    found = []
    for seed in range(10):
        fanin.initialize(model, "auto", seed=seed)
        with torch.no_grad():
            found.append([float((model[:n](x)[..., 4:-4, 4:-4] ** 2).mean()) for n in (1, 3, 5)])
    np.testing.assert_allclose(np.mean(found, axis=0), 1, atol=0.25)


def test_recurrent_kernels_are_orthogonal_gate_by_gate():
    lstm = fanin.initialize(nn.LSTM(8, 8), "auto", seed=1)
    for gate in lstm.weight_hh_l0.detach().chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-6, rtol=0)
    assert lstm.bias_ih_l0[8:16].tolist() == [1] * 8
    assert float(lstm.bias_hh_l0.detach().abs().max()) == 0
