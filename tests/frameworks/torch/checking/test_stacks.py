"""Matrices that lie in one tensor, drawn with the fans of a convolution."""

import pytest
import torch
from torch import nn
from torch.nn import functional as f

import fanin

EXPERTS, WIDTH, HIDDEN = 8, 48, 96


def einsum(x, up, down):
    return torch.einsum("ebh,ehd->ebd", torch.relu(torch.einsum("bd,edh->ebh", x, up)), down)


def matmul(x, up, down):
    return torch.relu(x @ up) @ down


def bmm(x, up, down):
    return torch.bmm(torch.relu(torch.bmm(x.expand(EXPERTS, -1, -1), up)), down)


def one_by_one(x, up, down):
    several = [f.linear(torch.relu(f.linear(x, a.T)), b.T) for a, b in zip(up, down, strict=True)]
    return torch.stack(several)


class Mixture(nn.Module):
    def __init__(self, draw, call):
        super().__init__()
        self.router, self.head, self.call = nn.Linear(WIDTH, EXPERTS), nn.Linear(WIDTH, 10), call
        self.up = nn.Parameter(torch.empty(EXPERTS, WIDTH, HIDDEN))
        self.down = nn.Parameter(torch.empty(EXPERTS, HIDDEN, WIDTH))
        draw(self.up)
        draw(self.down)

    def forward(self, x):
        shares = self.router(x).softmax(-1)
        return self.head(x + torch.einsum("ebd,be->bd", self.call(x, self.up, self.down), shares))


def looked_at(draw, call):
    torch.manual_seed(0)
    model = Mixture(draw, call)
    return fanin.diagnose(model, torch.randn(64, WIDTH), torch.arange(64) % 10, loss="cross_entropy")


def matrix_by_matrix(weight):
    for one in weight:
        nn.init.xavier_uniform_(one)


@pytest.mark.parametrize("call", [einsum, matmul, bmm, one_by_one])
def test_fans_of_each_matrix(call):
    found = looked_at(nn.init.xavier_uniform_, call)
    fans = {one.name: one.fan_in for one in found.vitals.parameters}
    assert (fans["up"], fans["down"], fans["head.weight"]) == (WIDTH, HIDDEN, None)
    assert [(one.code, one.where) for one in found.at_least("warning")] == [("SET112", "up")]
    assert not looked_at(matrix_by_matrix, call).at_least("warning")


@pytest.mark.parametrize(
    "draw",
    [
        nn.init.xavier_normal_,
        nn.init.kaiming_normal_,
        nn.init.kaiming_uniform_,
        lambda w: nn.init.kaiming_uniform_(w, 5**0.5),
    ],
)
def test_whatever_reads_the_fans(draw):
    assert [one.code for one in looked_at(draw, einsum).at_least("warning")] == ["SET112"]


@pytest.mark.parametrize("sd", [0.02, 0.01, 0.1])
def test_a_scale_that_is_meant(sd):
    assert not looked_at(lambda weight: nn.init.normal_(weight, 0, sd), einsum).at_least("warning")
