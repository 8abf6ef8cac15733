"""Which layers follow each other through an activation alone; what `auto` does there, as in PyTorch."""

import keras
import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.frameworks.keras.inventory import inventory
from fanin.graph.parameter import Pairs
from fanin.schemes.distributions import Paired

layers, ops = keras.layers, keras.ops
IMAGE = (6, 6, 1)


def pairs(model):
    return [p.pairs for p in inventory(model).parameters if p.kind == "kernel"]


def sequence(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts])


def test_a_chain():
    model = sequence(
        (3,),
        layers.Dense(8, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(4),
        layers.Activation("gelu"),
        layers.Dense(5),
    )
    assert pairs(model) == [Pairs(0, "relu", 3, 4), Pairs(1, "gelu", 3, 4), Pairs(1, "", 3, 4)]


@pytest.mark.parametrize(("channels", "shape", "values"), [("last", (5, 5, 3), 1), ("first", (3, 5, 5), 9)])
def test_behind_a_flattened_image_units_lie_as_the_channels_do(channels, shape, values):
    convolution = layers.Conv2D(4, 3, data_format=f"channels_{channels}")
    flatten = layers.Flatten(data_format="channels_last")
    model = sequence(shape, convolution, layers.ReLU(), flatten, layers.Dense(2))
    assert pairs(model)[1] == Pairs(values, "", 2, 4)


def test_flatten_that_puts_channels_last():
    first, last = (
        layers.Conv2D(4, 3, activation="relu", data_format=f"channels_{c}") for c in ("first", "last")
    )
    flatten = layers.Flatten(data_format="channels_first")
    assert pairs(sequence((3, 5, 5), first, flatten, layers.Dense(2)))[1] == Pairs(1, "", 2, 4)
    flatten = layers.Flatten(data_format="channels_first")
    assert pairs(sequence((5, 5, 3), last, flatten, layers.Dense(2))) == [Pairs(), Pairs()]


def conv(*args, **keywords):
    return layers.Conv2D(*args, activation="relu", **keywords)


def dense(activation=None):
    return layers.Dense(4, activation=activation)


UNPAIRED = {
    "odd": lambda: ((4,), layers.Dense(5, activation="relu"), dense()),
    "linear": lambda: ((4,), dense(), dense()),
    "joint": lambda: ((4,), dense("softmax"), dense()),
    "two activations": lambda: ((4,), dense("relu"), layers.ELU(), dense()),
    "norm before": lambda: ((4,), dense(), layers.LayerNormalization(), layers.ReLU(), dense()),
    "norm behind": lambda: ((4,), dense("relu"), layers.LayerNormalization(), dense()),
    "pooled": lambda: (IMAGE, conv(4, 3), layers.MaxPool2D(), conv(4, 1)),
    "one channel a group": lambda: (IMAGE, conv(4, 3), conv(4, 3, groups=4)),
    "one unit a group": lambda: ((6, 6, 4), conv(4, 3, groups=4), conv(4, 3)),
    "depthwise": lambda: (IMAGE, conv(4, 3), layers.DepthwiseConv2D(3)),
}


@pytest.mark.parametrize("name", UNPAIRED)
def test_what_cannot_be_paired(name):
    assert set(pairs(sequence(*UNPAIRED[name]()))) <= {Pairs()}


def test_a_layer_used_twice_and_one_read_by_more_than_layers():
    inputs, twice, first = keras.Input((4,)), layers.Dense(4, activation="relu"), layers.Dense(4)
    assert pairs(keras.Model(inputs, twice(twice(inputs)))) == [Pairs()]
    x = ops.silu(first(inputs))
    assert pairs(keras.Model(inputs, layers.Dense(4)(x) + x)) == [Pairs(), Pairs()]
    assert pairs(keras.Model(inputs, [layers.Dense(4)(x), x])) == [Pairs(), Pairs()]
    both = keras.Model(inputs, [layers.Dense(4)(x), layers.Dense(2)(x)])
    assert pairs(both) == [Pairs(0, "silu", 3, 4), Pairs(1, "", 3, 4), Pairs(1, "", 3, 4)]


def test_strides_are_told():
    model = sequence(IMAGE, layers.Conv2D(4, 3, (2, 1)), layers.Conv2DTranspose(4, 3, 2))
    found = [p for p in inventory(model).parameters if p.kind == "kernel"]
    assert [p.strides for p in found] == [(2, 1), (2, 2)]


def told(model):
    """Return what a plan draws each kernel from; orthogonal matrices of torch and Keras are the same."""
    return [row.distribution for row in fanin.plan(model, "auto") if row.parameter.kind == "kernel"]


def mlp(activation, depth=30, width=128):
    hidden = [layers.Dense(width, activation=activation) for _ in range(depth - 1)]
    return sequence((width,), *hidden, layers.Dense(width))


def functional(depth=30, width=128):
    x = inputs = keras.Input((width,))
    for place in range(depth):
        x = layers.Dense(width)(layers.Activation("gelu")(x) if place else x)
    return keras.Model(inputs, x)


def test_the_same_distributions_as_in_pytorch():
    parts = [nn.Linear(128, 128)]
    for _ in range(29):
        parts += [nn.GELU(), nn.Linear(128, 128)]
    expected = told(nn.Sequential(*parts))
    assert all(isinstance(distribution, Paired) for distribution in expected)
    assert [distribution.output_eighths for distribution in expected][-5:-1] == [8, 7, 5, 3]
    assert told(mlp("gelu")) == told(functional()) == expected


def images(channels=16, depth=18):
    """Return a CNN of Keras and one of PyTorch; the flattened channels lie apart in Keras."""
    ours, theirs = [], []
    for place in range(depth):
        ours.append(layers.Conv2D(channels, 3, padding="same", activation="relu"))
        theirs += [nn.Conv2d(channels if place else 3, channels, 3, padding=1), nn.ReLU()]
    theirs += [nn.Flatten(), nn.Linear(channels * 16, 64)]
    return sequence((4, 4, 3), *ours, layers.Flatten(), layers.Dense(64)), nn.Sequential(*theirs)


def test_convolutions_have_the_same_distributions_as_in_pytorch():
    ours, theirs = images()
    *convolutions, last = told(ours)
    *expected, torch_last = told(theirs)
    assert convolutions == expected
    assert (last.kernel, last.inputs, torch_last.inputs) == (torch_last.kernel, 1, 16)


def second_moment(model, seeds=6):
    """Return E[y^2] of a model's outputs, over networks of some seeds."""
    x = np.random.default_rng(0).standard_normal((64, 128)).astype("float32")
    networks = (fanin.initialize(model, "auto", seed=seed) for seed in range(seeds))
    return float(np.mean([(np.asarray(network(x)) ** 2).mean() for network in networks]))


@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_thirty_layers_keep_the_second_moment(activation):
    assert second_moment(mlp(activation)) == pytest.approx(1, abs=0.1)


def test_a_functional_model_keeps_the_second_moment():
    assert second_moment(functional()) == pytest.approx(1, abs=0.1)


def test_channels_behind_flatten_are_read_without_loss():
    """Every layer of pairs is an isometry of differences of units, so all examples grow by one factor."""
    body, _ = images()
    model = sequence((4, 4, 3), *body.layers[:-1], layers.Dense(256))
    fanin.initialize(model, "auto", seed=1)
    x = np.random.default_rng(0).standard_normal((8, 4, 4, 3)).astype("float32")
    first = np.asarray(ops.conv(x, model.layers[0].kernel, padding="same"))
    ratios = (np.asarray(model(x)) ** 2).sum(1) / (first**2).sum((1, 2, 3))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)


def test_pytorch_behaves_alike():
    ours, theirs = images()
    fanin.initialize(ours, "auto", seed=1)
    fanin.initialize(theirs, "auto", seed=1)
    x = np.random.default_rng(0).standard_normal((64, 3, 4, 4)).astype("float32")
    with torch.no_grad():
        expected = float((theirs(torch.from_numpy(x)) ** 2).mean())
    found = float((np.asarray(ours(x.transpose(0, 2, 3, 1))) ** 2).mean())
    assert found == pytest.approx(expected, rel=0.1)


def test_deep_convolutions_lose_nothing_at_borders():
    deep = [layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(17)]
    model = sequence((8, 8, 3), *deep, layers.Conv2D(64, 3, 2, padding="same"))
    fanin.initialize(model, "auto", seed=1)
    x = np.random.default_rng(0).standard_normal((8, 8, 8, 3)).astype("float32")
    first = np.asarray(ops.conv(x, model.layers[0].kernel, padding="same"))
    assert float((np.asarray(model(x)) ** 2).mean()) == pytest.approx(float((first**2).mean()), rel=1e-4)
