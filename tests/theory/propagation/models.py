"""Models of PyTorch and what their layers do over many random first weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as f

from fanin.frameworks.torch.graph import signal_graph
from fanin.graph.signal import SignalGraph
from fanin.theory.profile import SignalProfile
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.predict import predict
from fanin.theory.recognition import recognize
from theory.propagation.simulation import one_thread


@dataclass
class Measured:
    """Second moments of one network after the other, (networks, layers)."""

    names: list[str]
    forward: np.ndarray
    backward: np.ndarray
    parameters: dict[str, np.ndarray]


def predicted(model: nn.Module, inputs: torch.Tensor, *, train=False) -> tuple[SignalGraph, SignalProfile]:
    """Return a model's graph and what is predicted of it, gradients being standard normal at its outputs."""
    graph = recognize(signal_graph(model, (inputs,), train=train))
    tokens = not inputs.is_floating_point()
    laws = {node.name: InputLaw(tokens=tokens) for node in graph if node.op == "input"}
    return graph, predict(graph, laws)


def measured(
    make: Callable[[], nn.Module], inputs: Callable[[], torch.Tensor], *, seeds=20, train=False
) -> Measured:
    """Return second moments of every module's outputs and gradients, and of parameters' gradients."""
    with one_thread():
        found = [_one(make, inputs, seed, train) for seed in range(seeds)]
    names = list(found[0][0])
    forward = np.array([[one[0][name] for name in names] for one in found])
    backward = np.array([[one[1][name] for name in names] for one in found])
    parameters = {name: np.array([one[2][name] for one in found]) for name in found[0][2]}
    return Measured(names, forward, backward, parameters)


def _one(make, inputs, seed, train):
    torch.manual_seed(seed)
    model = make().train(train)
    outputs: dict[str, torch.Tensor] = {}

    def keep(name):
        def hook(module, given, output):
            if output.requires_grad:
                output.retain_grad()
                outputs[name] = output

        return hook

    for name, module in model.named_modules():
        if name:
            module.register_forward_hook(keep(name))
    y = model(inputs())
    y.backward(torch.randn(y.shape))
    forward = {name: _second(output.detach()) for name, output in outputs.items()}
    backward = {name: _second(output.grad) for name, output in outputs.items()}
    return forward, backward, {n: _second(p.grad) for n, p in model.named_parameters() if p.grad is not None}


def _second(x):
    return float(x.double().square().mean())


def mlp(activation: type[nn.Module], gain: float, width: int, depth: int = 10) -> nn.Module:
    layers = []
    for number in range(depth):
        layers += [nn.Linear(width, width), activation()]
        nn.init.normal_(layers[-2].weight, 0, (gain if number else 1) / math.sqrt(width))
        nn.init.zeros_(layers[-2].bias)
    return nn.Sequential(*layers[:-1])


class Convolutions(nn.Module):
    """Convolutions, a pool, and a mean over the image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)
        self.pool, self.second = nn.MaxPool2d(2), nn.Conv2d(64, 128, 3, stride=2, padding=1)
        self.third, self.head = nn.Conv2d(128, 128, 3, padding=1), nn.Linear(128, 100)
        _kaiming(self)

    def forward(self, x):
        x = self.pool(f.relu(self.first(f.relu(self.stem(x)))))
        x = f.relu(self.third(f.relu(self.second(x))))
        return self.head(x.mean((2, 3)))


class Residual(nn.Module):
    """As torchvision's basic block: a ReLU follows the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.down = nn.Identity()
        if stride > 1 or inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.down = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x)))))
        return f.relu(y + self.down(x))


class ResNet(nn.Module):
    """A small one of six blocks."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        sizes = [(width, width, 1)] * 2 + [(width, 2 * width, 2), (2 * width, 2 * width, 1)]
        self.blocks = nn.Sequential(*(Residual(*size) for size in sizes))
        self.fc = nn.Linear(2 * width, 100)
        _kaiming(self)

    def forward(self, x):
        x = self.blocks(f.relu(self.bn1(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


def _kaiming(model):
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class Block(nn.Module):
    """A transformer's block, with norms before its branches or after its sums."""

    def __init__(self, width: int, heads: int, causal: bool, post: bool) -> None:
        super().__init__()
        self.heads, self.causal, self.post = heads, causal, post
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def attention(self, x):
        batch, length, width = x.shape
        q, k, v = (
            layer(x).view(batch, length, self.heads, -1).transpose(1, 2) for layer in (self.q, self.k, self.v)
        )
        y = f.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.o(y.transpose(1, 2).reshape(batch, length, width))

    def forward(self, x):
        if self.post:
            x = self.ln1(x + self.attention(x))
            return self.ln2(x + self.down(f.gelu(self.up(x))))
        x = x + self.attention(self.ln1(x))
        return x + self.down(f.gelu(self.up(self.ln2(x))))


class Transformer(nn.Module):
    """As GPT-2, or with all positions seen."""

    def __init__(self, causal: bool, post: bool, width: int = 256, length: int = 32, depth: int = 3) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(500, width), nn.Embedding(length, width)
        self.h = nn.Sequential(*(Block(width, 8, causal, post) for _ in range(depth)))
        self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, 500, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 1 / math.sqrt(module.in_features))
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, ids):
        return self.head(self.ln(self.h(self.wte(ids) + self.wpe(torch.arange(ids.shape[1])))))
