"""Which layers of JAX's libraries follow each other through an activation alone; what `auto` does there."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import fanin
from fanin.frameworks.jax.equinox.inventory import inventory as equinox_inventory
from fanin.frameworks.jax.nnx.inventory import inventory as nnx_inventory
from fanin.graph.parameter import Pairs

KEY = jax.random.key(0)
enn = eqx.nn


def pairs(inventory, make):
    """Return the pairs of the kernels of a model by their layers; nothing is drawn."""
    model = nnx.eval_shape(make) if inventory is nnx_inventory else eqx.filter_eval_shape(make)
    kernels = [p for p in inventory(model).parameters if p.kind == "kernel"]
    return {p.name.rpartition(".")[0]: p.pairs for p in kernels}


def of_nnx(make):
    return pairs(nnx_inventory, lambda: nnx.Sequential(*make(nnx.Rngs(0))))


def of_equinox(make):
    return pairs(equinox_inventory, lambda: enn.Sequential(make()))


def linear(r, inputs=4, outputs=4):
    return nnx.Linear(inputs, outputs, rngs=r)


def test_a_chain_of_nnx():
    def make(r):
        return linear(r, 3, 8), nnx.relu, nnx.Dropout(0.5, rngs=r), linear(r, 8), jax.nn.gelu, linear(r, 4, 5)

    expected = {0: Pairs(0, "relu", 3, 4), 3: Pairs(1, "gelu_tanh", 3, 4), 5: Pairs(1, "", 3, 4)}
    assert of_nnx(make) == {f"layers.{place}": found for place, found in expected.items()}


def test_a_chain_inside_of_chains_and_of_modules():
    class Model(nnx.Module):
        def __init__(self, r):
            inner = nnx.Sequential(linear(r), nnx.silu)
            self.body = nnx.Sequential(inner, linear(r))
            self.alone = linear(r)

    found = pairs(nnx_inventory, lambda: Model(nnx.Rngs(0)))
    assert found["body.layers.0.layers.0"] == Pairs(0, "silu", 2, 4)
    assert found["body.layers.1"] == Pairs(1, "", 2, 4)
    assert found["alone"] == Pairs()


def convolution(r, inputs=4, **more):
    return nnx.Conv(inputs, 4, (3, 3), rngs=r, **more)


def flatten(x):
    return x.reshape(x.shape[0], -1)


def test_behind_a_flattened_image_channels_of_nnx_lie_apart_and_those_of_equinox_in_a_row():
    found = of_nnx(lambda r: (convolution(r, 1), nnx.relu, flatten, linear(r, 36, 2)))
    assert found["layers.3"] == Pairs(1, "", 2, 4)

    def make():
        first, last = enn.Conv2d(1, 4, 3, key=KEY), enn.Linear(36, 2, key=KEY)
        return [first, enn.Lambda(jax.nn.relu), enn.Lambda(jnp.ravel), last]

    assert of_equinox(make)["layers.3"] == Pairs(9, "", 2, 4)


def of_shared(r):
    layer = linear(r)
    return layer, nnx.relu, layer


UNPAIRED = {
    "odd": lambda r: (linear(r, 3, 5), nnx.relu, linear(r, 5, 2)),
    "linear": lambda r: (linear(r), linear(r)),
    "two activations": lambda r: (linear(r), nnx.relu, jnp.tanh, linear(r)),
    "joint": lambda r: (linear(r), nnx.softmax, linear(r)),
    "transposed": lambda r: (linear(r), lambda x: nnx.relu(x).T, linear(r)),
    "dropout before": lambda r: (linear(r), nnx.Dropout(0.1, rngs=r), nnx.relu, linear(r)),
    "norm before": lambda r: (linear(r), nnx.LayerNorm(4, rngs=r), nnx.relu, linear(r)),
    "norm behind": lambda r: (linear(r), nnx.relu, nnx.LayerNorm(4, rngs=r), linear(r)),
    "one channel a group": lambda r: (
        convolution(r, 1),
        nnx.relu,
        convolution(r, feature_group_count=4),
    ),
    "masked": lambda r: (convolution(r), nnx.relu, convolution(r, mask=jnp.ones((3, 3, 4, 4)))),
    "shared": of_shared,
}


@pytest.mark.parametrize("name", UNPAIRED)
def test_what_cannot_be_paired_or_is_not_known_for_sure(name):
    assert set(of_nnx(UNPAIRED[name]).values()) <= {Pairs()}


def test_equinox_mlps():
    def make(**more):
        return enn.MLP(3, 2, 4, 2, jax.nn.relu, key=KEY, **more)

    rows = [Pairs(0, "relu", 3, 4), Pairs(1, "relu", 3, 4), Pairs(1, "", 3, 4)]
    assert list(pairs(equinox_inventory, make).values()) == rows
    found = of_equinox(lambda: [make(), enn.Identity(), enn.Lambda(jnp.tanh), enn.Linear(2, 3, key=KEY)])
    assert found["layers.0.layers.2"] == Pairs(1, "tanh", 4, 2)
    assert set(pairs(equinox_inventory, lambda: make(scan=True)).values()) == {Pairs()}


def test_equinox_modules_with_shared_parts():
    def make():
        first, last = enn.Linear(4, 4, key=KEY), enn.Linear(4, 4, key=KEY)
        chain = enn.Sequential([first, enn.Lambda(jax.nn.relu), last])
        return enn.Shared(chain, lambda c: c.layers[2].weight, lambda c: c.layers[0].weight)

    assert set(pairs(equinox_inventory, make).values()) == {Pairs()}


def test_equinox_modules_with_a_call_of_their_own():
    class Twice(enn.Sequential):
        def __call__(self, x, *, key=None):
            return self.layers[2](self.layers[0](x)) + x

    def make():
        return Twice([enn.Linear(4, 4, key=KEY), enn.Lambda(jax.nn.relu), enn.Linear(4, 4, key=KEY)])

    assert set(pairs(equinox_inventory, make).values()) == {Pairs()}


def test_strides_are_told():
    def make():
        return enn.Sequential(
            [enn.Conv2d(1, 4, 3, stride=(2, 1), key=KEY), enn.ConvTranspose2d(4, 4, 3, 2, key=KEY)]
        )

    def make_nnx():
        r = nnx.Rngs(0)
        return nnx.Sequential(convolution(r, strides=2), nnx.ConvTranspose(4, 4, (3, 3), rngs=r))

    found = equinox_inventory(eqx.filter_eval_shape(make)).parameters
    assert [p.strides for p in found if p.kind == "kernel"] == [(2, 1), (2, 2)]
    found = nnx_inventory(nnx.eval_shape(make_nnx)).parameters
    assert [p.strides for p in found if p.kind == "kernel"] == [(2, 2), (1, 1)]


def inputs(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def test_thirty_layers_keep_the_second_moment_in_nnx():
    def make():
        r = nnx.Rngs(0)
        steps = [step for _ in range(30) for step in (linear(r, 128, 128), nnx.silu)]
        return nnx.Sequential(*steps[:-1])

    networks = (fanin.initialize(make(), "auto", seed=seed) for seed in range(6))
    second = np.mean([float((network(inputs(64, 128)) ** 2).mean()) for network in networks])
    assert second == pytest.approx(1, abs=0.1)


def test_thirty_layers_keep_the_second_moment_in_equinox():
    model = enn.MLP(128, 128, 128, 29, jax.nn.silu, key=KEY)
    networks = (fanin.initialize(model, "auto", seed=seed) for seed in range(6))
    second = np.mean([float((jax.vmap(network)(inputs(64, 128)) ** 2).mean()) for network in networks])
    assert second == pytest.approx(1, abs=0.1)


def shares(plan):
    """Return the eighths of inputs and outputs that are in pairs, of each kernel."""
    kernels = [row.distribution for row in plan if row.parameter.kind == "kernel"]
    return [(kernel.input_eighths, kernel.output_eighths) for kernel in kernels]


def test_pairs_end_slowly_in_nnx_as_in_equinox():
    r = nnx.Rngs(0)
    steps = [step for _ in range(6) for step in (linear(r, 64, 64), nnx.silu)]
    expected = [(8, 8), (8, 8), (8, 7), (7, 5), (5, 3), (3, 8)]
    assert shares(fanin.plan(nnx.Sequential(*steps[:-1]), "auto")) == expected
    assert shares(fanin.plan(enn.MLP(64, 64, 64, 5, jax.nn.silu, key=KEY), "auto")) == expected


@pytest.mark.parametrize("library", ["nnx", "equinox"])
def test_pairs_are_read_without_loss_behind_flattened_images(library):
    """ReLU of pairs is an isometry: all examples grow by one factor from a convolution to a wide layer."""
    x = inputs(8, 3, 3, 3)
    if library == "nnx":
        r = nnx.Rngs(0)
        model = nnx.Sequential(convolution(r, 3), nnx.relu, flatten, linear(r, 36, 128))
        model = fanin.initialize(model, "auto", seed=1)
        first, last = model.layers[0](x), model(x)
    else:
        parts = [enn.Conv2d(3, 4, 3, padding=1, key=KEY), enn.Linear(36, 128, key=KEY)]
        model = enn.Sequential([parts[0], enn.Lambda(jax.nn.relu), enn.Lambda(jnp.ravel), parts[1]])
        model = fanin.initialize(model, "auto", seed=1)
        first, last = jax.vmap(model.layers[0])(x), jax.vmap(model)(x)
    ratios = (np.asarray(last) ** 2).sum(1) / (np.asarray(first) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)
