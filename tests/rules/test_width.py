"""The coordinate check, on models of several widths."""

import pytest
import torch
from torch import nn

import fanin
from fanin.errors import FaninError
from rules.faulty import chain, each, he, normal

X, Y = torch.randn(64, 20, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 4
WIDTHS = 32, 128, 512


def _found(make, **options):
    torch.manual_seed(0)
    return {
        one.code: one
        for one in fanin.diagnose(make, X, Y, loss="cross_entropy", widths=WIDTHS, **options).findings
    }


def test_a_fixed_deviation():
    found = _found(lambda width: each(chain(20, width, width, width, 4), normal(0.05)))
    assert found["WID101"].severity == "warning"
    # Each of two sums over n channels grows as sqrt(n), and the last as the third.
    assert found["WID101"].observed == pytest.approx(1.5, abs=0.15)


def test_variances_of_one_over_the_fan():
    found = _found(lambda width: each(chain(20, width, width, 4), he))
    assert "WID101" not in found
    assert found["WID102"].severity == "info"
    assert found["WID102"].observed == pytest.approx(1.0, abs=0.3)


def test_outputs_may_shrink_with_the_width():
    """As they do in mu-parametrization."""

    class Scaled(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.body, self.width = each(chain(20, width, width, 4), he), width

        def forward(self, x):
            return self.body(x) / self.width

    found = _found(Scaled)
    assert "WID101" not in found


def test_widths_that_are_none():
    with pytest.raises(FaninError, match="at least two"):
        fanin.diagnose(lambda width: nn.Linear(20, 4), X, Y, loss="cross_entropy", widths=(8, 8))
