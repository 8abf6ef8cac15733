"""Residual branches, read from what a module's own code adds."""

import torch
from torch import nn

import fanin
from fanin.frameworks.torch.residual import Branch, branches_of
from fanin.frameworks.torch.tracing import traced


class Attention(nn.Module):
    """Pre-norm attention and feed-forward, with names that say nothing."""

    def __init__(self, d=12):
        super().__init__()
        self.a, self.b = nn.LayerNorm(d), nn.LayerNorm(d)
        self.one, self.two, self.three, self.four = (nn.Linear(d, d) for _ in range(4))
        self.five, self.six = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        h = self.a(x)
        weights = torch.softmax(self.one(h) @ self.two(h).transpose(-1, -2), -1)
        x = x + self.four(weights @ self.three(h))
        return torch.add(x, self.six(torch.relu(self.five(self.b(x)))))


class Residual(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.Dropout(0.1),
        )  # fmt: skip
        self.beside = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x):
        y = self.body(x)
        y += self.beside(x)
        return torch.relu(y)


def branches(model):
    return branches_of(traced(model), dict(model.named_modules()))


def test_attention_is_as_deep_as_its_longest_way():
    assert branches(Attention()) == [
        Branch(("one", "two", "three", "four"), 2),
        Branch(("five", "six"), 2),
    ]


def test_a_shortcut_is_told_from_a_branch_and_the_norm_at_the_end_is_found():
    model = nn.Sequential(Residual(4, 4), Residual(4, 6))
    assert branches(model) == [
        Branch(("0.body.0", "0.body.3"), 2, "0.body.4"),
        Branch(("1.body.0", "1.body.3"), 2, "1.body.4", ("1.beside",)),
    ]


def test_the_plan_knows_them_by_what_they_do():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Residual(4, 4), Residual(4, 6))
    roles = {p.name: p.roles for p in (row.parameter for row in fanin.plan(model, "he_normal + zero_gamma"))}
    assert roles["1.body.3.weight"] == ("residual_out",)
    assert roles["2.beside.weight"] == ("shortcut",)
    assert roles["2.body.4.weight"] == ("residual_norm",)
    assert roles["2.body.0.weight"] == ()


def test_what_is_added_is_not_always_a_residual():
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right, self.place = nn.Linear(4, 4), nn.Linear(4, 4), nn.Embedding(9, 4)

        def forward(self, x, t):
            return self.left(x) + self.right(x) + self.place(t) + 1

    assert branches(Towers()) == []
    assert branches_of(None, {}) == []


def test_packed_projections_and_their_heads_are_known_by_name():
    class Packed(nn.Module):
        def __init__(self, out=3):
            super().__init__()
            self.num_heads, self.qkv, self.proj = 4, nn.Linear(32, 32 * out), nn.Linear(32, 32)

    class Block(nn.Module):
        def __init__(self, out):
            super().__init__()
            self.attn, self.mlp = Packed(out), nn.Linear(32, 32)

    def qkv(out):
        model = nn.ModuleList(Block(out) for _ in range(2))
        return next(
            row.parameter for row in fanin.plan(model, "glorot_normal") if "qkv.weight" in row.parameter.name
        )

    assert (qkv(3).gates, qkv(3).gate_names, qkv(3).heads) == (3, ("query", "key", "value"), 4)
    assert qkv(2).gates == 1  # grouped queries are packed in other shares
