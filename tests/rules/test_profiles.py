"""A diagnosis as a measured profile, beside what measure and propagate give."""

import pytest
import torch
from torch import nn

import fanin


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 10))


def test_a_profile_has_the_numbers_of_measure():
    model, x = net(), torch.randn(32, 64)
    profile = fanin.diagnose(model, x, torch.arange(32) % 10, loss="cross_entropy").profile
    measured = fanin.measure(model, inputs=x)
    assert (profile.source, profile.model) == ("measured", "Sequential")
    assert list(profile) == list(measured)
    for name, layer in measured.items():
        assert profile[name].shape == layer.shape
        assert profile[name].forward.q.value == pytest.approx(layer.forward.q.value, rel=1e-5)
    weights = dict(model.named_parameters())
    logits = model(x)
    nn.functional.cross_entropy(logits, torch.arange(32) % 10).backward()
    found = {one.name: one for one in profile.parameters}
    assert list(found) == list(weights)
    for name, weight in weights.items():
        assert found[name].gradient.value == pytest.approx(float(weight.grad.square().mean()), rel=1e-4)


def test_a_profile_is_compared_with_a_prediction():
    model = net()
    predicted = fanin.propagate(model, inputs=(32, 64))
    profile = fanin.diagnose(model, torch.randn(32, 64)).profile
    assert "×" in str(predicted.compare(profile))
