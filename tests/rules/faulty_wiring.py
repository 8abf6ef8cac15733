"""Faults that are no scale of weights: losses, targets, tables, experts, layers that nobody registered."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as f

from rules.faulty import BCE, CE, MSE, Case, cars, chain, constant, digits, each, pictures, points


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def classes(number, examples=64):
    return torch.randint(0, number, (examples,), generator=torch.Generator().manual_seed(1))


def logits_without_logarithms():
    return chain(784, 128, 10), *digits(), nn.NLLLoss()


def one_logit():
    x, y = points()
    return chain(2, 32, 1), x, y.long()[:, 0] * 0, CE


def miles_from_a_tanh():
    return chain(9, 64, 64, 1, last=nn.Tanh()), *cars(), MSE


def broadcast():
    x, y = cars()
    return chain(9, 64, 64, 1), x, ((y - y.mean()) / y.std())[:, 0], MSE


class Prices(nn.Module):
    """Reads prices as they are."""

    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(4, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


def raw_prices():
    x = 8000 + 900 * noise(32, 20, 4)
    return Prices(), x, (x[:, -1, :1] - 8000) / 900, MSE


def constant_lstm():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(8, 32, batch_first=True), nn.Linear(32, 5)
            for parameter in self.lstm.parameters():
                nn.init.constant_(parameter, 0.1)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    return Reader(), noise(32, 9, 8), classes(5, 32), CE


def a_layer_of_ones():
    model = each(chain(2, 16, 16, 16, 3), nn.init.kaiming_uniform_)
    nn.init.ones_(model[2].weight)
    return model, noise(64, 2), classes(3), CE


class Factors(nn.Module):
    """Factors of a matrix, which begin with one number."""

    def __init__(self):
        super().__init__()
        self.users, self.items = nn.Embedding(100, 16), nn.Embedding(100, 16)
        nn.init.constant_(self.users.weight, 0.1)
        nn.init.constant_(self.items.weight, 0.1)

    def forward(self, pairs):
        return (self.users(pairs[:, 0]) * self.items(pairs[:, 1])).sum(1)


def constant_tables():
    pairs = torch.randint(0, 100, (256, 2), generator=torch.Generator().manual_seed(0))
    return Factors(), pairs, noise(256), MSE


class Perceiver(nn.Module):
    """Latents that read what there is; all of them begin with zeros."""

    def __init__(self):
        super().__init__()
        self.latents, self.read = nn.Parameter(torch.zeros(1, 16, 64)), nn.Linear(8, 64)
        self.attention = nn.MultiheadAttention(64, 4, batch_first=True)
        self.up, self.head = chain(64, 128, 64), nn.Linear(64, 10)

    def forward(self, x):
        latents, x = self.latents.expand(len(x), -1, -1), self.read(x)
        latents = latents + self.attention(latents, x, x)[0]
        return self.head((latents + self.up(latents)).mean(1))


def latents_of_zeros():
    return Perceiver(), noise(32, 20, 8), classes(10, 32), CE


class Experts(nn.Module):
    """Experts in one tensor, copies of the first, behind a router that prefers none."""

    def __init__(self):
        super().__init__()
        self.router = nn.Linear(20, 8)
        self.up = nn.Parameter((torch.randn(1, 20, 32) / 20**0.5).repeat(8, 1, 1))
        self.down = nn.Parameter((torch.randn(1, 32, 10) / 32**0.5).repeat(8, 1, 1))
        nn.init.zeros_(self.router.weight)
        nn.init.zeros_(self.router.bias)

    def forward(self, x):
        hidden = torch.relu(torch.einsum("bd,edh->beh", x, self.up))
        shares = torch.softmax(self.router(x), -1)
        return torch.einsum("be,beo->bo", shares, torch.einsum("beh,eho->beo", hidden, self.down))


def cloned_experts():
    return Experts(), noise(64, 20), classes(10), CE


class Listed(nn.Module):
    """Layers in a list of Python."""

    def __init__(self):
        super().__init__()
        self.layers, self.head = [nn.Linear(20, 64), nn.Linear(64, 64)], nn.Linear(64, 10)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


def layers_in_a_list():
    return Listed(), noise(64, 20), classes(10), CE


def tiny_memory():
    model = chain(20, 64, 64, 10)
    nn.init.uniform_(model[2].weight, 1e-41, 9e-41)
    return model, noise(64, 20), classes(10), CE


class Segments(nn.Module):
    """A small U-Net without norms."""

    def __init__(self):
        super().__init__()
        self.first, self.down = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.up, self.head = nn.Conv2d(32, 16, 3, padding=1), nn.Conv2d(32, 1, 1)

    def forward(self, x):
        fine = torch.relu(self.first(x))
        coarse = torch.relu(self.up(torch.relu(self.down(f.max_pool2d(fine, 2)))))
        return self.head(torch.cat([fine, f.interpolate(coarse, scale_factor=2)], 1))


def raw_segments():
    x, _ = pictures(8, scale=255)
    return Segments(), x, (noise(8, 1, 32, 32) > 0).float(), BCE


class Pairs(nn.Module):
    """Two encoders, and the cosines between what they make over a small temperature."""

    def __init__(self):
        super().__init__()
        self.one, self.other = chain(20, 64, 32), chain(30, 64, 32)

    def forward(self, x, y):
        return f.normalize(self.one(x), dim=1) @ f.normalize(self.other(y), dim=1).T / 0.001


def cold_pairs():
    return Pairs(), (noise(64, 20), noise(64, 30)), torch.arange(64), CE


def default_of_many_layers():
    return chain(784, *[256] * 11, 10), *digits(), CE


def default_of_many_convolutions():
    layers = [one for n in range(20) for one in (nn.Conv2d(24 if n else 3, 24, 3, padding=1), nn.ReLU())]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10))
    return nn.Sequential(*layers, *head), *pictures(8), CE


def born_below_zero():
    return each(chain(2, 16, 16, 16, 3), nn.init.kaiming_uniform_, constant(-10.0)), *points_of_three(), CE


def points_of_three():
    y = classes(3)
    return torch.tensor([[-6.0, 2.0], [3.0, 5.0], [0.0, -7.0]])[y] + noise(64, 2), y


WIRING = [
    Case("NLLLoss of logits", logits_without_logarithms, ("OUT",)),
    Case("cross-entropy of one logit", one_logit, ("OUT",)),
    Case("miles from a tanh", miles_from_a_tanh, ("OUT",)),
    Case("(n, 1) and (n,)", broadcast, ("INP",), "targets"),
    Case("raw prices in a GRU", raw_prices, ("INP",), "input 0"),
    Case("LSTM of constants", constant_lstm, ("SYM",), "lstm"),
    Case("a hidden layer of ones", a_layer_of_ones, ("SYM",), "2"),
    Case("constant tables", constant_tables, ("SYM",), "users.weight"),
    Case("latents of zeros", latents_of_zeros, ("SYM",), "latents"),
    Case("cloned experts", cloned_experts, ("SYM",), "up"),
    Case("layers in a list", layers_in_a_list, ("SET",), "layers[0].weight"),
    Case("memory of 1e-41", tiny_memory, ("NUM",), "2.weight"),
    Case("raw pictures in a U-Net", raw_segments, ("INP",), "input 0"),
    Case("a temperature of .001", cold_pairs, ("OUT",)),
    Case("PyTorch's default, 12 layers", default_of_many_layers, ("BWD", "FWD")),
    Case("PyTorch's default, 20 convolutions", default_of_many_convolutions, ("BWD", "FWD")),
    Case("biases of -10", born_below_zero, ("SAT",), "3"),
]
