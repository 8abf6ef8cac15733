"""Which layers of Linen follow each other through an activation alone, read from the traced call."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fanin
from fanin.frameworks.jax.linen.inventory import inventory
from fanin.graph.parameter import Pairs


def model(function):
    """Return a model with a function as its call."""

    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            return function(x)

    return Model()


def pairs(function, shape=(2, 4)):
    found = inventory(model(function), inputs=[jax.ShapeDtypeStruct(shape, "float32")])
    return [p.pairs for p in found.parameters if p.kind == "kernel"]


def dense(x, outputs=4):
    return nn.Dense(outputs)(x)


CHAIN = [Pairs(0, "relu", 2, 4), Pairs(1, "", 2, 4)]
PAIRED = {
    "function": lambda x: dense(nn.relu(dense(x))),
    "dropout": lambda x: dense(nn.Dropout(0.5, deterministic=True)(nn.relu(dense(x)))),
    "sequential": lambda x: nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(4)])(x),
    "jit": lambda x: dense(jax.jit(lambda y: jnp.maximum(y, 0))(dense(x))),
    "remat": lambda x: nn.remat(nn.Sequential)([nn.Dense(4), nn.relu, nn.Dense(4)])(x),
}


@pytest.mark.parametrize("name", PAIRED)
def test_a_chain(name):
    assert pairs(PAIRED[name]) == CHAIN


def flattened(x):
    x = nn.relu(nn.Conv(4, (3, 3))(x))
    return dense(x.reshape(len(x), -1))


def test_behind_a_flattened_image_channels_lie_apart():
    assert pairs(flattened, (2, 3, 3, 1)) == CHAIN


def of_shared(x):
    layer = nn.Dense(4)
    return layer(nn.relu(layer(x)))


def beside(x):
    y = nn.relu(dense(x))
    return dense(y) + y


def pooled(x):
    return nn.Conv(4, (1, 1))(nn.max_pool(nn.relu(nn.Conv(4, (1, 1))(x)), (2, 2)))


UNPAIRED = {
    "odd": lambda x: dense(nn.relu(dense(x, 5))),
    "linear": lambda x: dense(dense(x)),
    "joint": lambda x: dense(nn.softmax(dense(x))),
    "two activations": lambda x: dense(jnp.tanh(nn.relu(dense(x)))),
    "norm before": lambda x: dense(nn.relu(nn.LayerNorm()(dense(x)))),
    "norm behind": lambda x: dense(nn.LayerNorm()(nn.relu(dense(x)))),
    "transposed": lambda x: dense(nn.relu(dense(x)).T),
    "turned": lambda x: dense(nn.relu(dense(x))[:, ::-1]),
    "not all": lambda x: dense(nn.relu(dense(x, 8))[:, :4]),
    "also an output": lambda x: (dense(y := nn.relu(dense(x))), y),
    "also bare": lambda x: dense(nn.relu(y := dense(x))) + y,
    "two ways": lambda x: dense(nn.relu(y := dense(x))) + nn.PReLU()(y),
    "masked": lambda x: dense(nn.relu(dense(x)) * jnp.array([1.0, 0, 1, 1])),
    "shared": of_shared,
    "beside": beside,
}


@pytest.mark.parametrize("name", UNPAIRED)
def test_what_cannot_be_paired_or_is_not_known_for_sure(name):
    assert set(pairs(UNPAIRED[name], (4, 4))) <= {Pairs()}


def test_pooled_images_are_not_paired():
    assert set(pairs(pooled, (2, 4, 4, 4))) == {Pairs()}


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return dense(nn.relu(dense(x))), None


def test_stacks_of_layers_are_not_paired():
    scan = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=2)
    assert set(pairs(lambda x: scan()(x, None)[0])) == {Pairs()}


def deep(x, depth=30):
    for place in range(depth):
        x = nn.Dense(128)(nn.silu(x) if place else x)
    return x


def test_pairs_end_slowly():
    plan = fanin.plan(model(lambda x: deep(x, 6)), "auto", inputs=[jax.ShapeDtypeStruct((2, 128), "float32")])
    kernels = [plan[f"Dense_{place}.kernel"].distribution for place in range(6)]
    assert [kernel.output_eighths for kernel in kernels] == [8, 8, 7, 5, 3, 8]
    assert [kernel.input_eighths for kernel in kernels] == [8, 8, 8, 7, 5, 3]


def test_thirty_layers_keep_the_second_moment():
    x = np.random.default_rng(0).standard_normal((64, 128)).astype("float32")
    network = model(deep)
    drawn = (fanin.initialize(network, "auto", seed=seed, inputs=[x]) for seed in range(6))
    second = np.mean([float((network.apply(found, x) ** 2).mean()) for found in drawn])
    assert second == pytest.approx(1, abs=0.1)


def test_pairs_are_read_without_loss_behind_flattened_images():
    """ReLU of pairs is an isometry: all examples grow by one factor from a convolution to a wide layer."""
    x = np.random.default_rng(0).standard_normal((8, 3, 3, 3)).astype("float32")
    first = nn.Conv(4, (3, 3), name="first")

    def call(x):
        y = nn.Conv(4, (3, 3), name="first")(x)
        return nn.Dense(128)(nn.relu(y).reshape(8, -1))

    network = model(call)
    found = fanin.initialize(network, "auto", seed=1, inputs=[x])
    before = first.apply({"params": found["params"]["first"]}, x)
    ratios = (np.asarray(network.apply(found, x)) ** 2).sum(1) / (np.asarray(before) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)
