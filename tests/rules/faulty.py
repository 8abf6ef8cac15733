"""Public faulty programs and healthy models, made again in PyTorch: what each is, and which fault it has."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as f


@dataclass(frozen=True)
class Case:
    """A program.

    Args:
        name: What it is called.
        make: Makes the model, the inputs, the targets and the loss.
        families: Families of rules of which one is to be found; () for a healthy model.
        where: The layer where it is to be found, if that is clear.
    """

    name: str
    make: Callable[[], tuple[nn.Module, Any, Any, Any]]
    families: tuple[str, ...] = ()
    where: str = ""
    moderate: bool = field(default=False, kw_only=True)


def chain(*sizes, act: Callable[[], nn.Module] = nn.ReLU, last: nn.Module | None = None) -> nn.Sequential:
    """Return layers of these sizes with an activation between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), act()]
    return nn.Sequential(*layers[:-1], *([last] if last else []))


def each(model: nn.Module, draw: Callable[[torch.Tensor], Any], bias: Callable | None = nn.init.zeros_):
    """Draw every weight of a model, and every bias."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            draw(module.weight)
            if module.bias is not None and bias is not None:
                bias(module.bias)
    return model


def he(weight):
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


def glorot(weight):
    nn.init.xavier_uniform_(weight)


def constant(value):
    return lambda weight: nn.init.constant_(weight, value)


def normal(sd):
    return lambda weight: nn.init.normal_(weight, 0, sd)


def uniform(low, high):
    return lambda weight: nn.init.uniform_(weight, low, high)


def digits(examples=64, *, flat=True, scale=1.0, size=28):
    """Return images as MNIST has them: most pixels 0, and strokes."""
    generator = torch.Generator().manual_seed(0)
    smooth = f.interpolate(torch.randn(examples, 1, 7, 7, generator=generator), size, mode="bilinear")
    x = (smooth - 0.4).clamp(0, 1) * scale
    y = torch.randint(0, 10, (examples,), generator=generator)
    return (x.flatten(1) if flat else x), y


def pictures(examples=32, *, size=32, scale=1.0, channels=3, classes=10):
    """Return pictures with values from 0 to `scale`."""
    generator = torch.Generator().manual_seed(0)
    small = torch.randn(examples, channels, 8, 8, generator=generator)
    x = torch.sigmoid(2 * f.interpolate(small, size, mode="bilinear"))
    return x * scale, torch.randint(0, classes, (examples,), generator=generator)


def cars(examples=128, *, raw=False):
    """Return nine features as auto-mpg has them, and miles per gallon."""
    random = np.random.default_rng(0)
    scale = np.array([1.7, 104, 38, 850, 2.75, 3.7, 0.5, 0.4, 0.4])
    mean = np.array([5.5, 194, 104, 2977, 15.5, 76, 0.2, 0.2, 0.6])
    z = random.standard_normal((examples, 9))
    x = z * scale + mean if raw else z
    y = 23.5 + 7.8 * (-0.8 * z[:, 3] + 0.6 * random.standard_normal(examples))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]


def points(examples=64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(examples, 2, generator=generator)
    return x, (x.square().sum(1, keepdim=True) > 1.4).float()


def base_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(64 * 49, 256), nn.ReLU(), nn.Linear(256, 10),
    )  # fmt: skip


def deep_cnn(channels=1):
    layers: list[nn.Module] = []
    for read, made in ((channels, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(read, made, 3, padding=1), nn.BatchNorm2d(made), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if made == read else []
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def lenet(act: Callable[[], nn.Module], more=0):
    layers = [nn.Conv2d(1, 6, 5), act(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), act(), nn.AvgPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(256, 120), act(), nn.Linear(120, 84), act()]
    for _ in range(more):
        layers += [nn.Linear(84, 84), act()]
    return nn.Sequential(*layers, nn.Linear(84, 10))


CE, BCE, MSE = nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss(), nn.MSELoss()


def a1():
    return each(base_cnn(), constant(0.01)), *digits(flat=False), CE


def a3():
    model = each(chain(9, 64, 64, 1), constant(0.01))
    he(model[-1].weight)
    return model, *cars(), MSE


def a5():
    return each(deep_cnn(), normal(0.25)), *digits(flat=False), CE


def a6():
    return each(chain(9, 64, 64, 1), normal(0.25)), *cars(), MSE


def a7():
    return each(chain(9, 64, 64, 1), he), *cars(raw=True), MSE


def a9():
    return each(base_cnn(), he), *digits(flat=False, scale=255), CE


def a9b():
    model = deep_cnn()
    each(model[:-1], he)
    return model, *digits(flat=False, scale=255), CE


def a11():
    return each(chain(784, 500, 500, 500, 10), normal(1.0), normal(1.0)), *digits(), CE


def faint_and_loud():
    """Weights so small that inputs of 200 are no fault yet: once they are mended, the inputs are one."""
    model = each(chain(*[64] * 9, 10), lambda weight: nn.init.normal_(weight, std=0.01))
    x = 200 * torch.randn(32, 64)
    return model, x, torch.arange(32) % 10, CE


def b2():
    return each(chain(2, *[5] * 11, 1, act=nn.Sigmoid), nn.init.kaiming_uniform_), *points(), BCE


def b3():
    model = each(chain(2, *[5] * 8, 1), uniform(-0.05, 0.05))
    nn.init.kaiming_uniform_(model[-1].weight)
    return model, *points(), BCE


def b5():
    return each(lenet(nn.Sigmoid, 7), he), *digits(flat=False), CE


def b10():
    model = each(lenet(nn.ReLU), he)
    nn.init.ones_(model[-1].weight)
    return model, *digits(flat=False), CE


def c1():
    x, y = digits()
    return (
        each(chain(784, 30, 10, act=nn.Identity), normal(1.0), normal(1.0)),
        x,
        f.one_hot(y, 10).float(),
        MSE,
    )


def c3():
    x = torch.rand(128, 3, generator=torch.Generator().manual_seed(0)) * 10000
    model = each(chain(3, 3, 2, 1, act=nn.Tanh, last=nn.Softmax(1)), uniform(-0.05, 0.05))
    return model, x, (x[:, :1] > 5000).float(), nn.BCELoss()


class BornDead(nn.Module):
    """A network whose last unit has a ReLU and reads numbers that make it negative."""

    def __init__(self):
        super().__init__()
        self.body = each(chain(11, 12, 12, 1), normal(0.05))
        with torch.no_grad():
            self.body[-1].weight.copy_(-self.body[-1].weight.abs())
            self.body[2].weight.abs_()

    def forward(self, x):
        return torch.relu(self.body(x))


def c6():
    x = torch.rand(64, 11, generator=torch.Generator().manual_seed(0)) * 10
    return (
        BornDead(),
        x,
        (x[:, :1] > 5).float(),
        lambda p, y: f.binary_cross_entropy(p.clamp(1e-6, 1 - 1e-6), y),
    )


def d1():
    layers: list[nn.Module] = []
    for read in (3, 32, 32, 32):
        layers += [nn.Conv2d(read, 32, 3, padding=1), nn.ReLU(), *([nn.MaxPool2d(2)] if read else [])]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 4, 10))
    return each(model, glorot), *pictures(scale=255), CE


def d2():
    plan, layers, read = (16, 16, 0, 32, 32, 0, 64, 64, 64, 0, 64, 64, 64, 0, 64, 64, 64, 0), [], 3
    for made in plan:
        layers += [nn.Conv2d(read, made, 3, padding=1), nn.ReLU()] if made else [nn.MaxPool2d(2)]
        read = made or read
    head = [nn.Flatten(), nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 100)]
    # VGG16 at an eighth of its width: the sd that is .01 there is sqrt(8) times as large here.
    return each(nn.Sequential(*layers, *head), normal(0.028)), *pictures(classes=100), CE


class Attentive(nn.Module):
    """An attention vector that nothing has filled."""

    def __init__(self):
        super().__init__()
        self.read = nn.Linear(20, 16)
        self.vector = nn.Parameter(torch.full((16,), 3e37))
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        h = torch.tanh(self.read(x))
        weights = torch.softmax((h * self.vector).sum(-1) * 1e-37, 0)
        return self.head(h * weights[:, None])


def d6():
    return Attentive(), torch.randn(32, 20), torch.randint(0, 4, (32,)), CE


class Block(nn.Module):
    """A block of a transformer."""

    def __init__(self, width, heads, qk=None):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        each(self, normal(0.02))
        if qk:
            nn.init.normal_(self.qkv.weight, 0, qk)

    def forward(self, x):
        q, k, v = (
            one.unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in self.qkv(self.ln1(x)).chunk(3, -1)
        )
        x = x + self.out(f.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.down(f.gelu(self.up(self.ln2(x))))


class Gpt(nn.Module):
    """A language model with a tied table."""

    def __init__(self, width=192, depth=6, words=1000, table=0.02, qk=None, heads=4):
        super().__init__()
        self.table, self.places = nn.Embedding(words, width), nn.Embedding(64, width)
        self.blocks = nn.Sequential(*(Block(width, heads, qk) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        nn.init.normal_(self.table.weight, 0, table)
        nn.init.normal_(self.places.weight, 0, 0.02)
        self.head.weight = self.table.weight

    def forward(self, ids):
        x = self.table(ids) + self.places(torch.arange(ids.shape[1]))
        return self.head(self.norm(self.blocks(x))).transpose(1, 2)


def tokens(words=1000):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, words, (4, 65), generator=generator)
    return ids[:, :-1], ids[:, 1:]


def d11():
    return Gpt(table=1.0), *tokens(), CE


def d12():
    model = each(chain(16, 64, 32, 1, last=nn.ReLU()), glorot)
    nn.init.constant_(model[-2].bias, -8.0)
    return model, torch.randn(128, 16), torch.rand(128, 1), MSE


class Gated(nn.Module):
    """A gate of ReLU(0)."""

    def __init__(self):
        super().__init__()
        self.read, self.gate, self.head = nn.Linear(20, 32), nn.Linear(32, 32, bias=False), nn.Linear(32, 4)
        nn.init.zeros_(self.gate.weight)

    def forward(self, x):
        h = torch.tanh(self.read(x))
        return self.head(h + h * torch.relu(self.gate(f.rms_norm(h, (32,)))))


def d13():
    return Gated(), torch.randn(32, 20), torch.randint(0, 4, (32,)), CE


class Lora(nn.Module):
    """A frozen layer with two factors beside it."""

    def __init__(self, first: Callable[[torch.Tensor], Any]):
        super().__init__()
        self.base = chain(20, 32, 4)
        for parameter in self.base.parameters():
            parameter.requires_grad_(False)
        self.a, self.b = nn.Linear(20, 4, bias=False), nn.Linear(4, 32, bias=False)
        first(self.a.weight)
        nn.init.zeros_(self.b.weight)

    def forward(self, x):
        return self.base[2](torch.relu(self.base[0](x) + self.b(self.a(x))))


def d16():
    return Lora(nn.init.zeros_), torch.randn(32, 20), torch.randint(0, 4, (32,)), CE


def d19():
    return Gpt(width=384, heads=6, qk=64**-0.5 * 2, depth=2), *tokens(), CE


def d22():
    model = chain(256, *[256] * 7, 10, act=nn.SELU)
    for layer in model[::2]:
        nn.init.normal_(layer.weight, 0, math.sqrt(1e-3 / layer.in_features))
        nn.init.zeros_(layer.bias)
    return model, torch.randn(64, 256), torch.randint(0, 10, (64,)), CE


def d25():
    return each(base_cnn(), nn.init.zeros_), *digits(flat=False), CE


def d28():
    model = each(chain(784, 128, 128, 128, 10), he)
    for layer in (model[2], model[4]):
        torch.manual_seed(7)
        he(layer.weight)
    return model, *digits(), CE


def e2():
    return (
        each(chain(784, 15, 10, act=nn.Sigmoid, last=nn.Sigmoid()), uniform(0, 1), uniform(0, 1)),
        *_hot(),
        MSE,
    )


def e6():
    model = chain(784, 100, 100, 10, act=nn.Sigmoid)
    for layer in model[::2]:
        nn.init.uniform_(layer.weight, 0, 784**-0.5 * 3)
        nn.init.zeros_(layer.bias)
    return model, *digits(), CE


def e11():
    model = nn.Sequential(
        nn.Embedding(27, 10), nn.Flatten(), nn.Linear(30, 200), nn.Tanh(), nn.Linear(200, 27)
    )
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    generator = torch.Generator().manual_seed(0)
    ids, y = (torch.randint(0, 27, size, generator=generator) for size in ((64, 3), (64,)))
    return model, ids, y, CE


def dropped():
    return nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Dropout(1.0), nn.Linear(64, 10)), *digits(), CE


def sigmoids():
    return each(chain(784, *[64] * 7, 10, act=nn.Sigmoid), he), *digits(), CE


class Recurrent(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.cell, self.head = nn.RNN(16, 64, batch_first=True, **options), nn.Linear(64, 4)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


def stack():
    model = Recurrent(num_layers=8)
    for weight in model.cell.parameters():
        nn.init.normal_(weight, 0, 0.01)
    return model, torch.randn(32, 20, 16), torch.arange(32) % 4, CE


def _hot():
    x, y = digits()
    return x, f.one_hot(y, 10).float()


CLEAR = [
    Case("A1 constant kernels", a1, ("SYM",), "0"),
    Case("A3 constant kernels, regression", a3, ("SYM",), "0"),
    Case("A7 raw features", a7, ("INP",)),
    Case("A9 raw pixels", a9, ("INP",)),
    Case("A11 N(0, 1)", a11, ("OUT", "FWD")),
    Case("B2 deep sigmoids", b2, ("BWD",)),
    Case("B2b seven sigmoids", sigmoids, ("BWD",)),
    Case("B3 deep and small", b3, ("FWD",)),
    Case("B5 LeNet of sigmoids", b5, ("BWD",)),
    Case("C1 linear, N(0, 1)", c1, ("OUT",)),
    Case("C3 inputs to 10000", c3, ("INP", "SAT")),
    Case("C6 ReLU at the output", c6, ("SAT",)),
    Case("D1 CIFAR, raw", d1, ("INP",)),
    Case("D2 VGG16, sd .01", d2, ("FWD",)),
    Case("D6 memory", d6, ("NUM",), "vector"),
    Case("D11 tied N(0, 1)", d11, ("OUT",)),
    Case("D12 dead output", d12, ("SAT",)),
    Case("D13 gate of zeros", d13, ("SET",), "gate.weight"),
    Case("D16 LoRA of zeros", d16, ("SET",), "a.weight"),
    Case("D19 large queries", d19, ("SAT",)),
    Case("D22 SELU, small", d22, ("FWD",)),
    Case("D25 zeros", d25, ("SYM",), "0"),
    Case("D28 one seed", d28, ("SYM",), "2.weight"),
    Case("E2 U(0, 1)", e2, ("SAT",)),
    Case("E6 positive weights", e6, ("SAT", "BWD")),
    Case("E11 makemore", e11, ("OUT", "SAT")),
    Case("All is dropped", dropped, ("SAT",), "2"),
    Case("Stack of small recurrences", stack, ("BWD",), "cell (layer 1)"),
]

MODERATE = [Case("B10 head of ones", b10, ("SYM",), "11", moderate=True)]


def h10():
    return Gpt(), *tokens(), CE


def h14():
    return Lora(normal(0.1)), torch.randn(32, 20), torch.randint(0, 4, (32,)), CE


def h15():
    model = each(
        nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 90, 3, padding=1)),
        normal(0.01),
    )
    nn.init.constant_(model[-1].bias, -4.595)
    x, _ = pictures(8, size=16)
    return model, (x - 0.5) / 0.25, (torch.rand(8, 90, 16, 16) < 0.01).float(), BCE


def h16():
    return each(nn.Sequential(nn.Linear(784, 10)), nn.init.zeros_), *digits(), CE


def h19():
    return chain(784, 256, 128, 10), *digits(), CE


class Words(nn.Module):
    """The usual language model of two LSTMs."""

    def __init__(self):
        super().__init__()
        self.table, self.lstm = nn.Embedding(200, 64), nn.LSTM(64, 64, 2, batch_first=True)
        self.head = nn.Linear(64, 200)

    def forward(self, ids):
        return self.head(self.lstm(self.table(ids))[0]).transpose(1, 2)


def h19b():
    return Words(), *tokens(200), CE


class Control(nn.Module):
    """A copy beside a frozen body, joined by convolutions of zeros."""

    def __init__(self):
        super().__init__()
        self.body, self.copy = (nn.Conv2d(3, 16, 3, padding=1) for _ in range(2))
        self.zero, self.head = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 10, 3, padding=1)
        each(self.zero, nn.init.zeros_)

    def forward(self, x):
        return self.head(torch.relu(self.body(x) + self.zero(torch.relu(self.copy(x))))).mean((2, 3))


def h14b():
    x, y = pictures()
    return Control(), (x - 0.5) / 0.25, y, CE


HEALTHY = [
    Case("A5 wide under BatchNorm", a5, moderate=True),
    Case("A6 a little wide", a6, moderate=True),
    Case("A9b raw pixels under BatchNorm", a9b),
    Case("H10 GPT-2", h10),
    Case("H14 LoRA", h14),
    Case("H14 ControlNet", h14b),
    Case("H15 RetinaNet's head", h15),
    Case("H16 zeros of one layer", h16),
    Case("H19 PyTorch's default", h19),
    Case("H19 LSTM", h19b),
]
