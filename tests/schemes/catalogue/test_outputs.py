"""What a network says before it has learned: class priors, and adapters that say nothing."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.schemes import lora
from fanin.schemes.distributions import Constant, Uniform


def classifier(outputs):
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, outputs))


def test_several_classes_start_at_their_priors():
    priors = (0.7, 0.2, 0.1)
    model = fanin.initialize(classifier(3), f"he_normal + class_prior({priors})")
    np.testing.assert_allclose(model[2].bias.detach(), np.log(priors), rtol=1e-6)
    model[2].weight.data.zero_()
    labels = torch.multinomial(torch.tensor(priors), 200_000, replacement=True)
    loss = nn.functional.cross_entropy(model(torch.zeros(1, 20)).expand(len(labels), -1), labels)
    entropy = -sum(p * math.log(p) for p in priors)
    assert float(loss.detach()) == pytest.approx(entropy, abs=0.01)


def test_one_probability_is_a_logit():
    model = fanin.initialize(classifier(1), "he_normal + class_prior(0.01)")
    assert float(torch.sigmoid(model[2].bias.detach())) == pytest.approx(0.01)
    many = fanin.initialize(classifier(80), "he_normal + class_prior")  # RetinaNet: -log((1 - pi) / pi)
    np.testing.assert_allclose(many[2].bias.detach(), -math.log(0.99 / 0.01), rtol=1e-6)


def test_the_rest_is_the_other_schemes():
    plan = fanin.plan(classifier(3), "he_normal + class_prior((0.5, 0.25, 0.25))")
    assert plan["0.weight"].sd ** 2 == pytest.approx(2 / 20)
    assert plan["2.bias"].parameter.roles == ("head_bias",)
    assert plan["0.bias"].distribution == Constant(0.0)


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("class_prior((0.5, 0.6))", "The priors' sum is 1.1"),
        ("class_prior(1.5)", "probabilities between 0 and 1"),
        ("class_prior(())", "probabilities between 0 and 1"),
        ("class_prior((0.5, 0.5))", "There are 2 priors for the 3 outputs of 2.bias"),
    ],
)
def test_bad_priors_are_refused(scheme, words):
    with pytest.raises(FaninError) as error:
        fanin.plan(classifier(3), scheme)
    assert words in str(error.value)


class Adapter(nn.Module):
    """A linear layer with LoRA's two matrices, named as PEFT names them."""

    def __init__(self):
        super().__init__()
        self.base_layer = nn.Linear(96, 64)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(96, 8, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(8, 64, bias=False)})

    def forward(self, x):
        return self.base_layer(x) + self.lora_B["default"](self.lora_A["default"](x))


def test_adapters_change_nothing_at_first_and_the_rest_stays():
    model = nn.Sequential(Adapter())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fanin.initialize(model, "lora", seed=3)
    after = model.state_dict()
    for name in ("0.base_layer.weight", "0.base_layer.bias"):
        assert torch.equal(before[name], after[name])
    assert not after["0.lora_B.default.weight"].any()
    x = torch.randn(5, 96)
    torch.testing.assert_close(model(x), model[0].base_layer(x))
    first = after["0.lora_A.default.weight"].numpy()
    bound = 1 / math.sqrt(96)  # kaiming_uniform_(a=sqrt(5)), as PEFT has it
    assert np.abs(first).max() <= bound
    assert (first.astype(float) ** 2).mean() == pytest.approx(bound**2 / 3, rel=0.1)


def test_the_papers_gaussian_is_one_argument_away():
    model = fanin.initialize(nn.Sequential(Adapter()), "lora(stddev=0.5)")
    assert float(model[0].lora_A["default"].weight.detach().std()) == pytest.approx(0.5, rel=0.1)


def test_bare_parameters_of_adapters_have_their_fan_in_last_or_by_their_axes():
    named = Parameter("lora_A", (8, 96), roles=("adapter_in",))
    flax = Parameter("lora_a", (96, 8), "kernel", ("in", "out"), roles=("adapter_in",))
    for parameter in (named, flax):
        found = lora().decide(parameter).distribution
        assert isinstance(found, Uniform)
        assert found.high == pytest.approx(1 / math.sqrt(96))
