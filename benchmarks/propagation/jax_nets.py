"""Models of the table that are computed by JAX, as users of Flax and Keras write them."""

from __future__ import annotations

from typing import Any


def mlp(width: int = 512, depth: int = 10) -> Any:
    """Return `depth` square layers of Flax NNX, a GELU after each."""
    import jax
    from flax import nnx

    class Mlp(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.fc = nnx.List([nnx.Linear(width, width, rngs=rngs) for _ in range(depth)])

        def __call__(self, x: jax.Array) -> jax.Array:
            for layer in self.fc:
                x = jax.nn.gelu(layer(x))
            return x

    return Mlp(nnx.Rngs(0))


def transformer(width: int = 256, heads: int = 4, depth: int = 4, words: int = 1000) -> Any:
    """Return a causal transformer of Flax NNX, norms first."""
    import jax
    from flax import nnx

    class Block(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.norm1, self.norm2 = (nnx.LayerNorm(width, rngs=rngs) for _ in range(2))
            self.attention = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
            self.wide = nnx.Linear(width, 4 * width, rngs=rngs)
            self.narrow = nnx.Linear(4 * width, width, rngs=rngs)

        def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
            x = x + self.attention(self.norm1(x), mask=mask)
            return x + self.narrow(jax.nn.gelu(self.wide(self.norm2(x))))

    class Transformer(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.embed = nnx.Embed(words, width, rngs=rngs)
            self.blocks = nnx.List([Block(rngs) for _ in range(depth)])
            self.norm = nnx.LayerNorm(width, rngs=rngs)

        def __call__(self, tokens: jax.Array) -> jax.Array:
            x, mask = self.embed(tokens), nnx.make_causal_mask(tokens)
            for block in self.blocks:
                x = block(x, mask)
            return self.norm(x)

    return Transformer(nnx.Rngs(0))


def keras_cnn(channels: int = 64) -> Any:
    """Return six convolutions of Keras with strides and a pool, and a classifier."""
    import keras
    from keras import layers

    strides = (1, 1, 2, 1, 1, 1)
    convolutions = [
        layers.Conv2D(channels, 3, strides=stride, padding="same", activation="relu", name=f"conv{number}")
        for number, stride in enumerate(strides)
    ]
    convolutions.insert(5, layers.MaxPooling2D(name="pool"))
    head = [layers.GlobalAveragePooling2D(name="mean"), layers.Dense(10, name="fc")]
    return keras.Sequential([keras.Input((32, 32, 3)), *convolutions, *head])
