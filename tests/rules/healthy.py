"""Healthy models as people write them; a rule that looks at one number alone takes each for a fault."""

from __future__ import annotations

import copy
import itertools
import math

import torch
from torch import nn
from torch.nn import functional as f

from rules.faulty import Case, chain, digits, he, pictures

CE = nn.CrossEntropyLoss()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels(examples, classes):
    return torch.arange(examples) % classes


def words(examples, length, vocabulary=100):
    return torch.randint(0, vocabulary, (examples, length), generator=torch.Generator().manual_seed(0))


def of_words(outputs, targets):
    return f.cross_entropy(outputs.flatten(0, 1), targets.flatten())


class ByName(nn.Module):
    """Modules by their names, which a function calls."""

    def __init__(self, call, **modules):
        super().__init__()
        self.call = call
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs):
        return self.call(self, *inputs)


def alexnet():
    """Eight layers with PyTorch's default weights: signals shrink by 50 in all."""
    layers: list[nn.Module] = []
    sizes = [
        (3, 64, 11, 4, 2),
        (64, 192, 5, 1, 2),
        (192, 384, 3, 1, 1),
        (384, 256, 3, 1, 1),
        (256, 256, 3, 1, 1),
    ]
    for place, (read, made, kernel, stride, padding) in enumerate(sizes):
        layers += [nn.Conv2d(read, made, kernel, stride, padding), nn.ReLU()]
        layers += [nn.MaxPool2d(3, 2)] if place in (0, 1, 4) else []
    net = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(3), nn.Flatten(), *chain(2304, 512, 512, 100), nn.Flatten()
    )
    x, _ = pictures(8, size=128)
    return net, (x - 0.5) / 0.25, labels(8, 100), CE


def mnist_example():
    """Logarithms of probabilities are nearly constant: -ln C and a little."""
    layers = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    net = nn.Sequential(*layers, *chain(9216, 128, 10), nn.LogSoftmax(1))
    x, y = digits(32, flat=False)
    return net, (x - 0.1307) / 0.3081, y, nn.NLLLoss()


def deep_autoencoder():
    """PyTorch's default weights shrink signals forward and gradients back: those of weights stay."""
    net = chain(784, 128, 64, 12, 3, 12, 64, 128, 784, last=nn.Tanh())
    x, _ = digits()
    return net, 2 * x - 1, 2 * x - 1, nn.MSELoss()


def vae():
    """The loss is a sum over 784 pixels and the batch, and a divergence."""

    def call(net, x):
        made = f.relu(net.read(x))
        mean, log_variance = net.mean(made), net.spread(made)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        return net.write(z).sigmoid(), mean, log_variance

    def loss(outputs, pixels):
        made, mean, log_variance = outputs
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
        return f.binary_cross_entropy(made, pixels, reduction="sum") + divergence

    x, _ = digits()
    heads = {"mean": nn.Linear(400, 20), "spread": nn.Linear(400, 20)}
    return ByName(call, read=nn.Linear(784, 400), write=chain(20, 400, 784), **heads), x, x, loss


def actor_critic():
    """An actor's last weights are .01: its gradients are far smaller than those of the critic beside it."""

    def drawn(net, last):
        for layer in (net[0], net[2], net[4]):
            nn.init.orthogonal_(layer.weight, last if layer is net[4] else math.sqrt(2))
            nn.init.zeros_(layer.bias)
        return net

    def loss(outputs, targets):
        logits, values = outputs
        chosen = f.log_softmax(logits, 1).gather(1, targets[0][:, None])[:, 0]
        return -(chosen * targets[1]).mean() + 0.5 * (values[:, 0] - targets[1]).square().mean()

    actor, critic = (drawn(chain(8, 64, 64, n, act=nn.Tanh), last) for n, last in ((4, 0.01), (1, 1.0)))
    net = ByName(lambda net, x: (net.actor(x), net.critic(x)), actor=actor, critic=critic)
    return net, noise(64, 8), (labels(64, 4), noise(64)), loss


def retina():
    """Two towers of N(0, .01) beside each other, and a prior of 1 % as the last bias."""

    def tower(outputs):
        layers = [one for _ in range(4) for one in (nn.Conv2d(64, 64, 3, padding=1), nn.ReLU())]
        made = nn.Sequential(*layers, nn.Conv2d(64, outputs, 3, padding=1))
        for layer in made[::2]:
            nn.init.normal_(layer.weight, 0, 0.01)
            nn.init.zeros_(layer.bias)
        return made

    def focal(outputs, targets):
        share = outputs[0].sigmoid()
        right = share * targets[0] + (1 - share) * (1 - targets[0])
        each = f.binary_cross_entropy_with_logits(outputs[0], targets[0], reduction="none")
        return ((1 - right).square() * each).sum() / targets[0].sum() + f.smooth_l1_loss(
            outputs[1], targets[1]
        )

    kinds = tower(180)
    nn.init.constant_(kinds[-1].bias, -math.log(99))
    body = nn.Sequential(nn.Conv2d(3, 64, 3, 2, 1), nn.BatchNorm2d(64), nn.ReLU())
    net = ByName(
        lambda net, x: (net.kinds(net.body(x)), net.boxes(net.body(x))),
        body=body,
        kinds=kinds,
        boxes=tower(36),
    )
    rare = (noise(2, 180, 16, 16) > 2.9).float()
    return net, noise(2, 3, 32, 32), (rare, noise(2, 36, 16, 16)), focal


def control():
    """A copy of what is frozen, between two convolutions of zeros."""
    base = nn.Sequential(*[nn.Conv2d(16, 16, 3, padding=1) for _ in range(3)])
    zeros = [nn.Conv2d(16, 16, 1) for _ in range(2)]
    for layer in zeros:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)

    def call(net, x, hint):
        frozen = f.silu(net.base[0](x))
        aside = f.silu(net.copy(x + net.into(hint)))
        return net.base[2](f.silu(net.base[1](frozen + net.out(aside))))

    net = ByName(
        call, base=base.requires_grad_(False), copy=copy.deepcopy(base[0]), into=zeros[0], out=zeros[1]
    )
    net.copy.requires_grad_(True)
    x = noise(4, 16, 8, 8)
    return net, (x, noise(4, 16, 8, 8, seed=1)), noise(4, 16, 8, 8, seed=2), nn.MSELoss()


def graph():
    """Rows of words that add up to 1, and a matrix of neighbours: small, as most of both is 0."""
    words_ = (noise(64, 200) > 1.6).float()
    near = (noise(64, 64) > 1.3).float()
    near = ((near + near.T) > 0).float() + torch.eye(64)
    scale = near.sum(1).rsqrt()
    first, last = nn.Linear(200, 16, bias=False), nn.Linear(16, 7, bias=False)
    for layer in (first, last):
        nn.init.xavier_uniform_(layer.weight)
    net = ByName(lambda net, x, a: a @ net.last(f.relu(a @ net.first(x))), first=first, last=last)
    x = words_ / words_.sum(1, keepdim=True).clamp_min(1)
    return net, (x, scale[:, None] * near * scale), labels(64, 7), CE


def experts():
    """Sixteen experts and eight tokens, which choose two each."""

    def call(net, x):
        weights, chosen = net.gate(x).softmax(-1).topk(2, -1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(net.experts):
            rows, places = torch.where(chosen == number)
            out = out.index_add(0, rows, expert(x[rows]) * weights[rows, places, None])
        return x + out

    every = nn.ModuleList(chain(32, 64, 32) for _ in range(16))
    layer = ByName(call, gate=nn.Linear(32, 16, bias=False), experts=every)
    return (
        nn.Sequential(nn.Linear(20, 32), layer, nn.LayerNorm(32), nn.Linear(32, 10)),
        noise(8, 20),
        labels(8, 10),
        CE,
    )


class Spectral(nn.Module):
    """A layer of a Fourier neural operator: complex weights of scale 1 / channels^2."""

    def __init__(self, channels, modes):
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.rand(channels, channels, modes, dtype=torch.cfloat) / channels**2)
        self.aside = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        waves = torch.fft.rfft(x)
        made = torch.zeros_like(waves)
        made[..., : self.modes] = torch.einsum("bim,iom->bom", waves[..., : self.modes], self.weight)
        return f.gelu(torch.fft.irfft(made, n=x.shape[-1]) + self.aside(x))


def operator():
    body = nn.Sequential(*[Spectral(32, 12) for _ in range(4)])
    net = ByName(
        lambda net, x: net.out(net.body(net.into(x).transpose(1, 2)).transpose(1, 2)),
        into=nn.Linear(2, 32), body=body, out=chain(32, 64, 1),
    )  # fmt: skip
    grid = torch.linspace(0, 1, 64).expand(8, 64)
    waves = torch.sin(2 * math.pi * grid * torch.arange(1, 9)[:, None])
    return net, torch.stack([waves, grid], -1), waves[..., None] / 2, nn.MSELoss()


def translation():
    """Logits of attention, whose gradients are small at first, in a loop that calls its layers again."""

    def call(net, x, y):
        read, state = net.encoder(net.source(x))
        state, out = state[0], []
        for place in range(y.shape[1]):
            scores = net.score(torch.tanh(net.of_state(state)[:, None] + net.of_word(read)))
            seen = (scores.softmax(1) * read).sum(1)
            state = net.cell(torch.cat([net.target(y[:, place]), seen], 1), state)
            out.append(net.out(state))
        return torch.stack(out, 1)

    net = ByName(
        call, source=nn.Embedding(100, 64), target=nn.Embedding(100, 64), out=nn.Linear(64, 100),
        encoder=nn.GRU(64, 64, batch_first=True), cell=nn.GRUCell(128, 64),
        of_state=nn.Linear(64, 64), of_word=nn.Linear(64, 64), score=nn.Linear(64, 1),
    )  # fmt: skip
    return net, (words(8, 10), words(8, 8)), words(8, 8), of_words


def characters():
    """PyTorch's tutorial: gradients shrink from step to step, those of the weights are sums over all."""

    def call(net, x):
        state = torch.zeros(len(x), 128)
        for place in range(x.shape[1]):
            state = torch.tanh(net.read(x[:, place]) + net.keep(state))
        return net.out(state)

    net = ByName(call, read=nn.Linear(57, 128), keep=nn.Linear(128, 128), out=nn.Linear(128, 18))
    return net, f.one_hot(words(16, 12, 57), 57).float(), labels(16, 18), CE


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def binarized():
    """A hard tanh behind a norm cuts off a third of its inputs."""

    def layer(read, made):
        net = ByName(
            lambda net, x: net.norm(f.linear(Sign.apply(x), Sign.apply(net.product.weight))),
            product=nn.Linear(read, made, bias=False), norm=nn.BatchNorm1d(made),
        )  # fmt: skip
        return [net, nn.Hardtanh()]

    pairs = itertools.pairwise([20, 64, 64, 10])
    return (
        nn.Sequential(*[one for pair in pairs for one in layer(*pair)][:-1]),
        noise(64, 20),
        labels(64, 10),
        CE,
    )


def codebook():
    """Codes of 1 / 64 are far smaller than the biases of the decoder."""

    def call(net, x):
        made = net.read(x).permute(0, 2, 3, 1)
        nearest = torch.cdist(made.reshape(-1, 16), net.codes.weight).argmin(1)
        code = net.codes(nearest).view(made.shape)
        loss = f.mse_loss(code, made.detach()) + 0.25 * f.mse_loss(code.detach(), made)
        return net.write((made + (code - made).detach()).permute(0, 3, 1, 2)), loss

    codes = nn.Embedding(64, 16)
    nn.init.uniform_(codes.weight, -1 / 64, 1 / 64)
    net = ByName(
        call,
        codes=codes,
        read=nn.Sequential(nn.Conv2d(3, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 16, 4, 2, 1)),
        write=nn.Sequential(nn.ConvTranspose2d(16, 32, 2, 2), nn.ReLU(), nn.ConvTranspose2d(32, 3, 2, 2)),
    )
    x, _ = pictures(8)
    return net, x, x, lambda outputs, y: f.mse_loss(outputs[0], y) + outputs[1]


def rare_labels():
    """Labels of 5 % that weigh 50 times as much: the loss is 2, and a guess has ln 2."""
    y = (noise(128, 40) > 1.64).float()
    return chain(50, 128, 64, 40), noise(128, 50), y, nn.BCEWithLogitsLoss(pos_weight=torch.full((40,), 50.0))


def momentum():
    """MoCo: a second encoder, a copy that follows the first within `forward`."""
    encoder = each_he(nn.Sequential(nn.Flatten(), *chain(192, 128, 32)))

    def call(net, x, other):
        query = f.normalize(net.query(x))
        with torch.no_grad():
            for own, its in zip(net.query.parameters(), net.key.parameters(), strict=True):
                its.mul_(0.999).add_(own, alpha=0.001)
            key = f.normalize(net.key(other))
        return torch.cat([(query * key).sum(1, keepdim=True), query @ net.queue], 1) / 0.07

    net = ByName(call, query=encoder, key=copy.deepcopy(encoder).requires_grad_(False))
    net.register_buffer("queue", f.normalize(noise(32, 64), dim=0))
    x = noise(32, 3, 8, 8)
    return net, (x, x + 0.1 * noise(32, 3, 8, 8, seed=1)), torch.zeros(32, dtype=torch.long), CE


def each_he(net):
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            he(layer.weight)
            nn.init.zeros_(layer.bias)
    return net


WRITTEN = [
    Case("AlexNet", alexnet, moderate=True),  # its signals shrink 50 times: a warning
    Case("PyTorch's example for MNIST", mnist_example),
    Case("deep autoencoder", deep_autoencoder),
    Case("VAE of sums", vae),
    Case("actor and critic", actor_critic),
    Case("RetinaNet's towers", retina),
    Case("ControlNet's copy", control),
    Case("graph convolutions", graph),
    Case("experts without a token", experts),
    Case("Fourier neural operator", operator),
    Case("translation with attention", translation),
    Case("characters, step by step", characters),
    Case("binarized", binarized),
    Case("VQ-VAE", codebook),
    Case("rare labels that weigh more", rare_labels),
    Case("MoCo", momentum),
]
