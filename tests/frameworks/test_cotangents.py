import numpy as np
import pytest
import torch
from torch.nn import functional

from fanin import FaninError
from fanin.frameworks.cotangents import check_loss, cotangent


class Targets:
    """Random numbers that are written down."""

    def __init__(self):
        self.random, self.drawn = np.random.default_rng(3), None

    def __getattr__(self, name):
        def call(*args):
            self.drawn = getattr(self.random, name)(*args)
            return self.drawn

        return call


@pytest.mark.parametrize("shape", [(6, 5), (4, 7, 5), (3, 5, 2, 2)])
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mse"])
def test_gradients_are_those_of_pytorch(loss, shape):
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    targets, classes = Targets(), 1 if len(shape) == 4 else -1
    found = cotangent(loss, x.detach().numpy(), targets, classes=classes)
    y = torch.from_numpy(np.asarray(targets.drawn))
    if loss == "cross_entropy":
        value = functional.cross_entropy(x.movedim(classes, -1).reshape(-1, 5), y.reshape(-1))
    elif loss == "mse":
        value = functional.mse_loss(x, y)
    else:
        value = functional.binary_cross_entropy_with_logits(x, y.double())
    assert torch.allclose(torch.autograd.grad(value, x)[0], torch.from_numpy(found))


def test_without_a_loss_it_is_standard_normal_and_of_a_number_1():
    found = cotangent(None, np.zeros((100, 100)), np.random.default_rng(0))
    assert np.mean(found**2) == pytest.approx(1, rel=0.05)
    assert cotangent("mse", np.array(3.0), np.random.default_rng(0)) == 1


def test_an_unknown_loss_is_refused():
    with pytest.raises(FaninError, match="'hinge' is no loss here"):
        check_loss("hinge")
