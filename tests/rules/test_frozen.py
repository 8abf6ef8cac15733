"""Models that are frozen, whole or in part."""

import pytest
import torch
from torch import nn

import fanin

X, Y = torch.randn(64, 20, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 3


def network():
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))


def findings(model, loss="cross_entropy"):
    return {one.code: one for one in fanin.diagnose(model, X, Y, loss=loss).findings}


@pytest.mark.parametrize("loss", ["cross_entropy", nn.CrossEntropyLoss(), None])
def test_nothing_is_trained(loss):
    found = findings(network().requires_grad_(False), loss)
    assert list(found) == ["SET110"]
    assert found["SET110"].severity == "error"
    assert "0.weight, 0.bias, 2.weight and 3 more" in found["SET110"].message


def test_a_loss_that_reaches_nothing_is_another_matter():
    with pytest.raises(fanin.FaninError, match="does not depend"):
        findings(network(), lambda outputs, targets: outputs.detach().mean())


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (nn.init.kaiming_uniform_, True),
        (lambda w: nn.init.trunc_normal_(w, 0, 0.1, -0.2, 0.2), True),
        (nn.init.kaiming_normal_, False),
        (lambda w: w.copy_(torch.sin(torch.arange(w.numel()).reshape(w.shape))), False),
    ],
)
def test_frozen_weights_that_are_drawn(draw, told):
    torch.manual_seed(0)
    model = network()
    with torch.no_grad():
        draw(model[2].weight)
    assert not findings(model)
    model[2].requires_grad_(False)
    found = findings(model)
    assert list(found) == (["SET111"] if told else [])
    assert all(one.severity == "info" for one in found.values())
