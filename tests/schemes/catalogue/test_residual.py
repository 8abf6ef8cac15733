"""Residual schemes on real residual networks."""

import math

import pytest
import torch
from torch import nn

import fanin
from fanin.errors import FaninError
from fanin.schemes.distributions import Constant


class Block(nn.Module):
    """A residual block of three convolutions, with norms or with Fixup's scalars."""

    def __init__(self, before, after, norms):
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in ((before, 16), (16, 16), (16, after))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) if norms else nn.Identity() for n in (16, 16, after))
        self.relu = nn.ReLU()
        self.downsample = nn.Conv2d(before, after, 1) if before != after else None
        if not norms:
            self.bias1a, self.scale = nn.Parameter(torch.full((1,), 0.3)), nn.Parameter(torch.full((1,), 0.3))

    def forward(self, x):
        y = x if not hasattr(self, "scale") else x + self.bias1a
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            y = norm(convolution(self.relu(y)))
        if hasattr(self, "scale"):
            y = y * self.scale
        return y + (x if self.downsample is None else self.downsample(x))


class Network(nn.Module):
    def __init__(self, norms=False):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, padding=1)
        self.blocks = nn.Sequential(Block(24, 24, norms), Block(24, 48, norms), Block(48, 48, norms))
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class TestFixup:
    def test_second_moments_are_the_papers(self):
        model = fanin.initialize(Network(), "fixup", seed=1)
        factor = 3 ** (-1 / (2 * 3 - 2))  # 3 branches of 3 layers
        for block in model.blocks:
            first, second, last = (layer.weight.detach() for layer in block.convolutions)
            for weight in (first, second):
                he = 2 / math.prod(weight.shape[1:])
                assert float(weight.pow(2).mean()) == pytest.approx(he * factor**2, rel=0.1)
            assert not last.any()
            assert (float(block.scale.detach()), float(block.bias1a.detach())) == (1.0, 0.0)
        assert not model.head.weight.any()
        shortcut = model.blocks[1].downsample.weight.detach()  # beside the branch, not scaled
        assert float(shortcut.pow(2).mean()) == pytest.approx(1 / 24, rel=0.15)

    def test_every_branch_is_the_identity_at_first(self):
        model = fanin.initialize(Network(), "fixup")
        x = torch.randn(2, 24, 8, 8)
        torch.testing.assert_close(model.blocks[0](x), x)

    def test_the_depth_of_branches_can_be_said(self):
        plan = fanin.plan(Network(), "fixup(layers=2)")
        assert plan["blocks.0.convolutions.0.weight"].sd ** 2 == pytest.approx(2 / (24 * 9) / 3)

    def test_a_model_that_cannot_be_traced_must_say_it(self):
        class Hidden(Block):
            def forward(self, x):
                return super().forward(x) if x.sum() > 0 else x

        model = Network()
        model.blocks = nn.Sequential(Hidden(24, 24, False), Hidden(24, 48, False))
        with pytest.raises(FaninError, match="is not known: the model cannot be traced") as error:
            fanin.plan(model, "fixup")
        assert "fixup(layers=2)" in str(error.value)


class TestZeroGamma:
    def test_the_last_norm_of_each_branch_is_0_and_no_other(self):
        model = fanin.initialize(Network(norms=True), "he_normal + zero_gamma")
        for block in model.blocks:
            assert [float(norm.weight.detach().abs().max()) for norm in block.norms] == [1.0, 1.0, 0.0]
        x = torch.randn(2, 24, 8, 8)
        torch.testing.assert_close(model.blocks[0](x), x)

    def test_a_model_without_such_norms_is_told_so(self):
        notes = fanin.plan(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), "he_normal + zero_gamma").notes
        assert notes == ("The rule for 'residual_norm' reaches no parameter.",)


class Scaled(nn.Module):
    """A transformer-like branch with LayerScale's vector, or ReZero's number."""

    def __init__(self, shape):
        super().__init__()
        self.norm, self.fc1, self.fc2 = nn.LayerNorm(32), nn.Linear(32, 64), nn.Linear(64, 32)
        self.gamma = nn.Parameter(torch.full(shape, 0.5))

    def forward(self, x):
        return x + self.gamma * self.fc2(torch.relu(self.fc1(self.norm(x))))


def stack(depth, shape=(32,)):
    return nn.Sequential(*(Scaled(shape) for _ in range(depth)))


def test_skipinit_and_rezero_start_as_the_identity():
    for scheme in ("he_normal + skipinit", "he_normal + rezero"):
        model = fanin.initialize(stack(4, ()), scheme)
        x = torch.randn(5, 32)
        torch.testing.assert_close(model(x), x)
        assert float(model[0].fc1.weight.detach().pow(2).mean()) == pytest.approx(2 / 32, rel=0.2)


@pytest.mark.parametrize(("depth", "gamma"), [(2, 0.1), (18, 0.1), (19, 1e-5), (24, 1e-5), (25, 1e-6)])
def test_layer_scale_goes_by_depth(depth, gamma):
    plan = fanin.plan(stack(depth), "he_normal + layer_scale")
    assert plan["1.gamma"].distribution == Constant(gamma)


def test_layer_scale_can_be_said():
    assert fanin.plan(stack(2), "he_normal + layer_scale(0.3)")["1.gamma"].distribution == Constant(0.3)


def test_multipliers_stay_where_a_scheme_says_nothing():
    kept = {kept.name: kept.reason for kept in fanin.plan(stack(2), "he_normal").untouched}
    assert kept["0.gamma"] == "multipliers of branches stay as they are"
