"""Models whose graphs are tested, written in the ways that people write them."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as f


class Block(nn.Module):
    """A residual block with an addition and a ReLU in place, as torchvision's."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.down(x)
        return self.relu(out)


def resnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        Block(8, 8), Block(8, 16, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ELU(), nn.Conv2d(8, 8, 3, groups=8, padding="same"), nn.SiLU(),
        nn.Conv2d(8, 12, (3, 1), stride=(2, 1), padding=(2, 0), dilation=(2, 1), groups=4), nn.GELU(),
        nn.MaxPool2d(3, 2, padding=1, ceil_mode=True), nn.AvgPool2d(2, 1, padding=1), nn.Hardswish(),
        nn.ConvTranspose2d(12, 6, 3, stride=2, padding=1, output_padding=1, groups=3), nn.Mish(),
        nn.ConvTranspose2d(6, 4, 4, dilation=2), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True),
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
    )  # fmt: skip


class Squeeze(nn.Module):
    """Channels weighted by a small network of their means."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.depthwise = nn.Conv2d(4, 16, 1), nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.down, self.up = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.project, self.bn = nn.Conv2d(16, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        y = f.silu(self.depthwise(f.silu(self.expand(x))))
        y = y * torch.sigmoid(self.up(f.silu(self.down(y.mean((2, 3), keepdim=True)))))
        return x + self.bn(self.project(y))


class GPT(nn.Module):
    """As GPT-2 and nanoGPT: learned positions, packed queries, a mask in a buffer, a tied head."""

    def __init__(self, width: int = 16, heads: int = 4, vocabulary: int = 30, length: int = 8) -> None:
        super().__init__()
        self.heads = heads
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.ln_1, self.ln_2, self.ln_f = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.wte.weight
        self.register_buffer("mask", torch.tril(torch.ones(length, length)).view(1, 1, length, length))

    def attention(self, x):
        batch, length, width = x.shape
        q, k, v = self.attn(x).split(width, dim=2)
        q, k, v = (a.view(batch, length, self.heads, -1).transpose(1, 2) for a in (q, k, v))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        scores = scores.masked_fill(self.mask[:, :, :length, :length] == 0, float("-inf"))
        y = f.softmax(scores, dim=-1) @ v
        return self.proj(y.transpose(1, 2).contiguous().view(batch, length, width))

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        x = x + self.attention(self.ln_1(x))
        x = x + self.out(f.gelu(self.fc(self.ln_2(x)), approximate="tanh"))
        return self.head(self.ln_f(x))


class RMSNorm(nn.Module):
    """Of small operations."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Llama(nn.Module):
    """As Llama: rotated queries and keys, fewer keys than queries, a gated MLP."""

    def __init__(self, width: int = 32, heads: int = 4, key_heads: int = 2, depth: int = 2) -> None:
        super().__init__()
        self.table = nn.Embedding(40, width)
        self.layers = nn.ModuleList(LlamaLayer(width, heads, key_heads) for _ in range(depth))
        self.norm, self.head = RMSNorm(width), nn.Linear(width, 40, bias=False)

    def forward(self, ids):
        x = self.table(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


class LlamaLayer(nn.Module):
    """One of its blocks."""

    def __init__(self, width: int, heads: int, key_heads: int) -> None:
        super().__init__()
        self.heads, self.key_heads, self.size = heads, key_heads, width // heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, key_heads * self.size, bias=False)
        self.v = nn.Linear(width, key_heads * self.size, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.gate, self.up = nn.Linear(width, 48, bias=False), nn.Linear(width, 48, bias=False)
        self.down = nn.Linear(48, width, bias=False)
        self.norm_1, self.norm_2 = RMSNorm(width), RMSNorm(width)

    def rotated(self, x):
        length, half = x.shape[2], self.size // 2
        rates = 1.0 / 10000 ** (torch.arange(0, half, device=x.device).float() / half)
        angles = torch.outer(torch.arange(length, device=x.device).float(), rates)
        angles = torch.cat((angles, angles), -1)
        turned = torch.cat((-x[..., half:], x[..., :half]), -1)
        return x * angles.cos() + turned * angles.sin()

    def forward(self, x):
        h = self.norm_1(x)
        batch, length, _ = h.shape
        q = self.rotated(self.q(h).view(batch, length, self.heads, -1).transpose(1, 2))
        k = self.rotated(self.k(h).view(batch, length, self.key_heads, -1).transpose(1, 2))
        v = self.v(h).view(batch, length, self.key_heads, -1).transpose(1, 2)
        y = f.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o(y.transpose(1, 2).reshape(batch, length, -1))
        h = self.norm_2(x)
        return x + self.down(f.silu(self.gate(h)) * self.up(h))


class Recurrent(nn.Module):
    """A stack in both directions whose last states are read too."""

    def __init__(self, kind: type[nn.RNNBase], **options) -> None:
        super().__init__()
        self.rnn = kind(6, 5, num_layers=2, bidirectional=True, batch_first=True, **options)
        self.second = kind(10 if not options.get("proj_size") else 6, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        y, state = self.rnn(x)
        z, _ = self.second(y.transpose(0, 1))
        states = state if isinstance(state, tuple) else (state,)
        return self.head(z[-1]), *states


class Encoder(nn.Module):
    """A stack of PyTorch's transformer layers."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, 0.1, "gelu", batch_first=True, norm_first=first)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device)
        return self.layers(x, mask=mask, is_causal=True)


class Attention(nn.Module):
    """PyTorch's attention, with its weights."""

    def __init__(self, **options) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True, **options)

    def forward(self, x, memory):
        return self.attention(x, memory, memory)


class Normed(nn.Module):
    """Layers whose weights are computed at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.utils.parametrizations.weight_norm(nn.Linear(6, 5))
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(5, 4, 2))
        self.spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 4))
        self.a, self.b = nn.Parameter(torch.randn(2, 4)), nn.Parameter(torch.randn(3, 2))

    def forward(self, x):
        y = self.spectral(self.conv(self.weight(x).transpose(1, 2)))
        return y @ (self.b @ self.a).T
