"""What float16 cannot hold, seen where it happens."""

import torch
from torch import nn

import fanin
from fanin.frameworks.torch.checking.overflows import Overflows

LARGE = torch.full((3,), 300.0, dtype=torch.float16)


def _seen(func, *args):
    overflows = Overflows()
    overflows.see("layer", func, args, func(*args))
    return overflows.first


def test_what_overflows_is_named():
    assert _seen(torch.square, LARGE) == ("layer", "square")
    assert _seen(torch.matmul, 100 * LARGE, LARGE) == ("layer", "matmul")


def test_what_does_not_is_not():
    assert _seen(torch.square, LARGE.float()) is None
    assert _seen(torch.square, LARGE / 2) is None
    assert _seen(torch.sqrt, torch.square(LARGE)) is None  # it was infinite before


def test_infinities_that_are_meant():
    where = torch.tensor([True, False, True])
    assert _seen(torch.masked_fill, LARGE, where, float("inf")) is None
    lowest = torch.full((3,), torch.finfo(torch.float16).min, dtype=torch.float16)
    assert _seen(torch.add, lowest, lowest) is None


class _Norm(nn.Module):
    """RMSNorm whose squares are of the type of its inputs, or of float32."""

    def __init__(self, wide):
        super().__init__()
        self.wide = wide

    def forward(self, x):
        found = x.float() if self.wide else x
        return (found * torch.rsqrt(found.pow(2).mean(-1, keepdim=True) + 1e-6)).half()


def test_a_norm_that_squares_in_half_precision():
    def diagnosis(wide):
        torch.manual_seed(0)
        first = nn.Linear(20, 64)
        nn.init.normal_(first.weight, std=100.0)
        model = nn.Sequential(first, _Norm(wide), nn.ReLU(), nn.Linear(64, 3)).half()
        return fanin.diagnose(
            model, torch.randn(64, 20).half(), torch.arange(64) % 3, loss=nn.CrossEntropyLoss()
        )

    (found,) = (one for one in diagnosis(wide=False).findings if one.severity == "error")
    assert (found.code, found.where) == ("NUM101", "1")
    assert "pow" in found.message
    assert "NUM101" not in {one.code for one in diagnosis(wide=True).findings}
