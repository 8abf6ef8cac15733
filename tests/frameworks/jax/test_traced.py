"""Plans applied under jit: the host's values, and every device makes its own shards."""

import equinox as eqx
import jax
import numpy as np
import pytest
from flax import linen, nnx
from jax.sharding import NamedSharding, PartitionSpec

import fanin
from fanin.frameworks.jax.traced import draw_traced, is_traced
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import (
    Constant,
    Normal,
    Orthogonal,
    PerGate,
    SoftplusInverse,
    TruncatedNormal,
    Uniform,
)
from fanin.schemes.draw import draw

DISTRIBUTIONS = [
    Constant(0.3),
    Normal(0.1, 2.0),
    TruncatedNormal(0.0, 0.5),
    Uniform(-2.0, 3.0),
    SoftplusInverse(0.001, 0.1),
    Orthogonal(2.0),
    PerGate((Normal(0.0, 1.0), Constant(1.0))),
]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
@pytest.mark.parametrize("shape", [(6, 8), (4, 7), (10, 1)])
def test_the_values_are_the_hosts(distribution, shape):
    parameter = Parameter("w", shape, "kernel", ("out", "in"), padding=1)
    traced = jax.jit(lambda: draw_traced(distribution, parameter, 77))()
    np.testing.assert_allclose(traced, draw(distribution, parameter, 77), rtol=2e-6, atol=1e-6)


def test_tracing_is_noticed_and_only_then():
    seen = []
    jax.jit(lambda: seen.append(is_traced()))()
    assert (seen, is_traced()) == ([True], False)


class Block(nnx.Module):
    def __init__(self, rngs):
        self.first, self.second = nnx.Linear(8, 12, rngs=rngs), nnx.Linear(12, 3, rngs=rngs)


class Dense(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(3)(linen.relu(linen.Dense(12)(x)))


def test_initialize_under_jit_is_initialize():
    abstract = nnx.eval_shape(lambda: Block(nnx.Rngs(0)))
    inside = jax.jit(lambda: nnx.state(fanin.initialize(abstract, "he_normal", seed=3), nnx.Param))()
    outside = nnx.state(fanin.initialize(Block(nnx.Rngs(0)), "he_normal", seed=3), nnx.Param)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), inside, outside)

    mlp = eqx.filter_eval_shape(eqx.nn.MLP, 4, 2, 16, 2, key=jax.random.key(0))
    arrays = jax.jit(lambda: eqx.filter(fanin.initialize(mlp, "glorot_uniform"), eqx.is_array))()
    host = fanin.initialize(eqx.nn.MLP(4, 2, 16, 2, key=jax.random.key(0)), "glorot_uniform")
    np.testing.assert_allclose(arrays.layers[1].weight, host.layers[1].weight, atol=1e-6)

    inputs = jax.ShapeDtypeStruct((1, 5), "float32")
    variables = jax.jit(lambda: fanin.initialize(Dense(), "orthogonal", inputs=inputs))()
    again = fanin.initialize(Dense(), "orthogonal", inputs=inputs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), variables, again)


@pytest.mark.parametrize("spec", [PartitionSpec("data", None), PartitionSpec(None, "data")])
def test_every_device_makes_its_own_shard(spec):
    """Nothing is sent between devices, and none of them holds more than its own part."""
    sharding = NamedSharding(jax.make_mesh((2,), ("data",), devices=jax.devices("cpu")[:2]), spec)
    parameter, law = Parameter("w", (512, 1024), "kernel", ("out", "in")), TruncatedNormal(0.0, 1.0)
    made = jax.jit(lambda: draw_traced(law, parameter, 5), out_shardings=sharding)
    values = made()
    assert values.sharding.is_equivalent_to(sharding, 2)
    np.testing.assert_allclose(values, draw(law, parameter, 5), atol=1e-6)
    compiled = made.lower().compile()
    moves = ("all-gather", "all-to-all", "collective-permute", "all-reduce")
    assert [move for move in moves if move in compiled.as_text()] == []
    assert compiled.memory_analysis().temp_size_in_bytes <= values.nbytes // 2
