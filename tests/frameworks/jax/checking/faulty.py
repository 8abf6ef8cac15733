"""Faulty programs and healthy models as JAX has them, and which fault each has."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx

from rules import faulty as torchs


class Chain(nn.Module):
    sizes: tuple[int, ...]
    kernel: Callable = nn.initializers.he_normal()
    act: Callable = nn.relu

    @nn.compact
    def __call__(self, x):
        for size in self.sizes[:-1]:
            x = self.act(nn.Dense(size, kernel_init=self.kernel)(x))
        return nn.Dense(self.sizes[-1], kernel_init=self.kernel)(x)


def digits(scale=1.0):
    return tuple(one.numpy() for one in torchs.digits(scale=scale))


def points():
    return tuple(one.numpy() for one in torchs.points())


def constants():
    return Chain((64, 64, 10), nn.initializers.constant(0.01)), *digits(), {"loss": "cross_entropy"}


def deep_sigmoids():
    sizes = (*[5] * 11, 1)
    model = Chain(sizes, nn.initializers.he_uniform(), nn.sigmoid)
    return model, *points(), {"loss": "binary_cross_entropy"}


def raw_inputs():
    return Chain((256, 128, 10)), *digits(255.0), {"loss": "cross_entropy"}


class Lora(eqx.Module):
    base: jax.Array
    a: eqx.nn.Linear
    b: eqx.nn.Linear

    def __call__(self, x):
        frozen = jax.lax.stop_gradient(self.base)
        return frozen @ x + self.b(self.a(x))


def lora(first):
    one, two, three = jax.random.split(jax.random.key(0), 3)
    a, b = (eqx.nn.Linear(*sizes, use_bias=False, key=two) for sizes in ((20, 4), (4, 10)))
    b = eqx.tree_at(lambda layer: layer.weight, b, jnp.zeros((10, 4)))
    a = eqx.tree_at(lambda layer: layer.weight, a, first * jax.random.normal(three, (4, 20)))
    model = Lora(np.asarray(jax.random.normal(one, (10, 20)) / 20**0.5), a, b)
    x, y = np.random.default_rng(0).normal(size=(32, 20)), np.arange(32) % 10
    return model, x, y, {"loss": "cross_entropy"}


def lora_of_zeros():
    return lora(0.0)


def healthy_lora():
    return lora(0.1)


def function(params, x):
    for layer in params["body"]:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    return jax.nn.sigmoid(jax.nn.relu(x @ params["head"]["w"] - 50.0))


def dead_output():
    random = np.random.default_rng(0)
    body = [{"w": random.normal(0, 0.1, (20, 20)), "b": np.zeros(20)} for _ in range(2)]
    params = {"body": body, "head": {"w": random.normal(0, 0.1, (20, 1))}}
    x, y = random.normal(size=(256, 20)), random.integers(0, 2, (256, 1)).astype("float32")
    return function, x, y, {"loss": "mse", "params": params}


def healthy_mlp():
    return Chain((256, 128, 10)), *digits(), {"loss": "cross_entropy"}


class Cnn(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        for size in (16, 32, 64):
            x = nn.Conv(size, (3, 3), strides=2, use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        x = nn.Dropout(0.5, deterministic=not train)(x.mean((1, 2)))
        return nn.Dense(10)(x)


def healthy_cnn():
    x, y = torchs.pictures()
    return Cnn(), (x.permute(0, 2, 3, 1).numpy() - 0.5) / 0.25, y.numpy(), {"loss": "cross_entropy"}


class Block(nnx.Module):
    def __init__(self, width, rngs):
        self.norm1, self.norm2 = nnx.LayerNorm(width, rngs=rngs), nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(4, width, decode=False, dropout_rate=0.1, rngs=rngs)
        self.up, self.down = nnx.Linear(width, 4 * width, rngs=rngs), nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x):
        mask = nnx.make_causal_mask(jnp.ones(x.shape[:2]))
        x = x + self.attention(self.norm1(x), mask=mask)
        return x + self.down(nnx.gelu(self.up(self.norm2(x))))


class Gpt(nnx.Module):
    def __init__(self, rngs, width=64, words=200, depth=3, scale=0.02):
        draw = nnx.initializers.normal(scale)
        self.table = nnx.Embed(words, width, embedding_init=draw, rngs=rngs)
        self.blocks = nnx.List([Block(width, rngs) for _ in range(depth)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)

    def __call__(self, ids):
        x = self.table(ids)
        for block in self.blocks:
            x = block(x)
        return self.table.attend(self.norm(x))


def tokens():
    random = np.random.default_rng(0)
    return tuple(random.integers(0, 200, (8, 32)) for _ in range(2))


def healthy_transformer():
    return Gpt(nnx.Rngs(0)), *tokens(), {"loss": "cross_entropy"}


def wide_table():
    return Gpt(nnx.Rngs(0), width=256, depth=1, scale=1.0), *tokens(), {"loss": "cross_entropy"}


class Dropping(nnx.Module):
    def __init__(self, rate):
        rngs = nnx.Rngs(0)
        self.a, self.b = nnx.Linear(784, 64, rngs=rngs), nnx.Linear(64, 10, rngs=rngs)
        self.drop = nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x):
        return self.b(self.drop(nnx.relu(self.a(x))))


def nearly_all_dropped():
    return Dropping(0.999), *digits(), {"loss": "cross_entropy"}


class Twice(Dropping):
    def __call__(self, x):
        return nnx.softmax(nnx.softmax(super().__call__(x)))


def softmax_twice():
    def loss(outputs, targets):
        return -jnp.log(jnp.take_along_axis(outputs, targets[:, None], 1)).mean()

    return Twice(0.0), *digits(), {"loss": loss}


FAULTY = {
    "constant kernels": (constants, ("SYM",), "Dense_0"),
    "deep sigmoids": (deep_sigmoids, ("BWD",), ""),
    "raw pixels": (raw_inputs, ("INP",), ""),
    "LoRA of zeros": (lora_of_zeros, ("SET",), "a.weight"),
    "dead output": (dead_output, ("SAT", "SET"), ""),
    "tied N(0, 1)": (wide_table, ("OUT",), ""),
    "softmax twice": (softmax_twice, ("OUT",), "b"),
    "nearly all is dropped": (nearly_all_dropped, ("SAT",), "drop"),
}
"""What makes a program, the families of rules of which one is to be found, and where, if that is clear."""

HEALTHY = {
    "MLP": healthy_mlp,
    "CNN": healthy_cnn,
    "transformer": healthy_transformer,
    "LoRA": healthy_lora,
}
