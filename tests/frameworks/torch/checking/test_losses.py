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


def likelihood(made, y):
    """A Gaussian's, of a mean and the logarithm of a variance."""
    return ((y - made[:, :1]).square() * torch.exp(-made[:, 1:]) + made[:, 1:]).mean() / 2


@pytest.mark.parametrize(("scale", "found"), [(1.0, ["OUT101"]), (0.1, [])])
def test_a_loss_of_the_users_is_compared_with_that_of_zeros(scale, found):
    torch.manual_seed(0)
    net, y = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2)), torch.randn(64, 1)
    nn.init.normal_(net[2].weight, 0, scale)
    diagnosis = fanin.diagnose(net, torch.randn(64, 20), y, loss=likelihood)
    assert diagnosis.vitals.output.zero == pytest.approx(y.square().mean().item() / 2)
    assert [one.code for one in diagnosis.findings] == found


def test_losses_that_cannot_be_taken_of_zeros():
    net = nn.Linear(20, 2)
    for loss in (
        lambda made: made.norm(dim=1).log().mean(),
        lambda made: 1 / made.sum() if made.any() else 1,
    ):
        zero = fanin.diagnose(net, torch.randn(64, 20), loss=loss).vitals.output.zero
        assert zero is None or zero == -torch.inf
    assert (
        fanin.diagnose(
            net, torch.randn(64, 20), torch.arange(64) % 2, loss="cross_entropy"
        ).vitals.output.zero
        is None
    )
