"""What a loss compares, whatever it is made of."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as f

import fanin
from fanin.frameworks.torch.checking.losses import Comparison, target_of

CLASSES = torch.arange(64) % 4


def seen(loss, output):
    with Comparison() as comparison:
        loss(output)
    return comparison.of(output)


def test_the_mean_of_a_sum():
    found = seen(lambda o: f.cross_entropy(o, CLASSES, reduction="sum"), torch.zeros(64, 4))
    assert found.mean == pytest.approx(math.log(4))


def test_the_mean_without_weights():
    weight = torch.tensor([1.0, 2.0, 3.0, 100.0])
    found = seen(lambda o: f.cross_entropy(o, CLASSES, weight=weight), torch.zeros(64, 4))
    assert found.mean == pytest.approx(math.log(4))
    positive = seen(
        lambda o: f.binary_cross_entropy_with_logits(o, torch.ones(8, 2), pos_weight=torch.tensor(50.0)),
        torch.zeros(8, 2),
    )
    assert positive.mean == pytest.approx(math.log(2))


def test_labels_that_are_ignored():
    labels = torch.where(CLASSES == 0, -100, CLASSES)
    assert seen(lambda o: f.cross_entropy(o, labels), torch.zeros(64, 4)).mean == pytest.approx(math.log(4))


def test_what_compares_the_output_is_the_one():
    """Before a penalty, after a discriminator: the number of elements tells."""

    def loss(output):
        made = f.binary_cross_entropy_with_logits(output.mean(1, keepdim=True), torch.ones(64, 1))
        return f.cross_entropy(output, CLASSES) + made + f.mse_loss(output, torch.zeros(64, 4))

    assert seen(loss, torch.zeros(64, 4)).kind == "cross_entropy"


def test_classes_that_weigh_more_are_frequent():
    labels = torch.tensor([0] * 9 + [1])
    even = seen(lambda o: f.cross_entropy(o, labels, weight=torch.tensor([1.0, 9.0])), torch.zeros(10, 2))
    assert target_of(even).entropy == pytest.approx(math.log(2))
    positive = seen(
        lambda o: f.binary_cross_entropy_with_logits(o, labels.float(), pos_weight=torch.tensor(9.0)),
        torch.zeros(10),
    )
    assert target_of(positive).entropy == pytest.approx(math.log(2))


def test_a_sum_over_pixels_and_a_penalty_are_no_high_loss():
    """The VAE of PyTorch's examples: 784 times ln 2 an example, and a divergence."""
    torch.manual_seed(0)
    x = torch.rand(32, 784)
    net = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 784), nn.Sigmoid())

    def loss(made, pixels):
        return f.binary_cross_entropy(made, pixels, reduction="sum") + made.square().sum()

    assert not fanin.diagnose(net, x, x, loss=loss).at_least("warning")


def test_an_output_in_another_shape_is_what_its_last_function_makes():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 1), nn.Sigmoid(), nn.Flatten(0))
    nn.init.normal_(net[2].weight, 0, 0.4)  # logits that a sigmoid within the network should not have
    found = fanin.diagnose(net, torch.randn(64, 20), (torch.arange(64) % 2).float(), loss=nn.BCELoss())
    assert found.vitals.output.ends_in == "sigmoid"
    assert "SAT101" not in [one.code for one in found.findings]
