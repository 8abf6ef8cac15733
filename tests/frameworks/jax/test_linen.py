"""What Linen models consist of: against Flax's own layers, called abstractly."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict
from jax.sharding import NamedSharding, PartitionSpec

from fanin.errors import FaninError
from fanin.frameworks.jax.linen.inventory import inventory
from fanin.frameworks.jax.linen.values import with_values
from fanin.graph.fans import Fans, fans
from second_moments import kept

KEY = jax.random.key(0)


def like(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def abstract(model, *inputs):
    return jax.eval_shape(model.init, KEY, *inputs)


def filled(model, *inputs):
    """Return variables full of zeros: nothing is drawn, so that no initializer has to be compiled."""
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), abstract(model, *inputs))


LAYERS = {
    "dense": (nn.Dense(64), (40, 48)),
    "general": (nn.DenseGeneral((3, 16), axis=(-2, -1)), (30, 4, 8)),
    "batched": (nn.DenseGeneral(32, batch_dims=(0,)), (5, 40, 16)),
    "einsum": (nn.Einsum((8, 4, 16), "abc,cde->abde"), (10, 6, 8)),
    "experts": (nn.Einsum((6, 8, 16), "abc,bcd->abd"), (20, 6, 8)),
    "conv1d": (nn.Conv(24, 5), (4, 50, 6)),
    "conv3d": (nn.Conv(16, (3, 3, 3)), (2, 14, 14, 14, 4)),
    "grouped": (nn.Conv(24, (3, 3), feature_group_count=3), (4, 20, 20, 6)),
    "strided": (nn.Conv(24, (3, 3), strides=2), (4, 31, 31, 6)),
    "depthwise": (nn.Conv(32, (3, 3), feature_group_count=16), (4, 20, 20, 16)),
    "local": (nn.ConvLocal(12, (3,), padding="VALID"), (8, 20, 6)),
    "transposed": (nn.ConvTranspose(24, (4, 4), strides=(2, 2)), (4, 16, 16, 12)),
    "transposed_kernel": (
        nn.ConvTranspose(8, (4, 4), strides=(2, 2), transpose_kernel=True),
        (4, 16, 16, 32),
    ),
    "attention": (nn.MultiHeadDotProductAttention(4), (40, 1, 32)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_variance_of_one_over_fan_in_keeps_the_second_moment(name):
    model, shape = LAYERS[name]
    variables = abstract(model, like(*shape))
    run = jax.jit(lambda values, x: model.apply(with_values(variables, values), x))
    found = inventory(model, inputs=[like(*shape)])
    assert kept(found, run, shape) == pytest.approx(1, abs=0.12)


def named(found, name):
    return next(p for p in found.parameters if p.name == name)


def cell(kind):
    """Return a cell, what it consists of, and zeros for it."""
    model = kind(3)
    carry = jax.eval_shape(lambda: model.initialize_carry(KEY, (2,)))
    return model, inventory(model, inputs=[carry, like(2)]), filled(model, carry, like(2))


def opened(found, variables, **gates):
    """Return the variables with a large bias of some sign at some gates."""
    biases = [p for p in found.parameters if p.kind == "bias"]
    return with_values(variables, {p.name: np.full(p.shape, gates.get(*p.gate_names, 0)) for p in biases})


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.OptimizedLSTMCell])
def test_gates_of_an_lstm_are_named_as_they_act(kind):
    model, found, zeros = cell(kind)
    h = c = jnp.full(3, 0.5)
    (after, _), out = model.apply(opened(found, zeros, input=-99, forget=99, output=99), (c, h), jnp.ones(2))
    assert after == pytest.approx(0.5)
    assert out == pytest.approx(np.tanh(0.5))
    assert fans(named(found, "if.kernel")) == Fans(2, 3)
    assert named(found, "hf.kernel").kind == "recurrent"
    assert named(found, "hf.kernel").roles == ("recurrent", "gate")
    assert named(found, "hf.kernel").layer == kind.__name__


def test_gates_of_a_gru_are_named_as_they_act():
    model, found, zeros = cell(nn.GRUCell)
    h = jnp.full(3, 0.5)
    assert model.apply(opened(found, zeros, update=99), h, jnp.ones(2))[1] == pytest.approx(0.5)
    assert model.apply(opened(found, zeros, update=-99, new=99), h, jnp.ones(2))[1] == pytest.approx(1)


def test_a_simple_cell_sums_its_inputs_and_its_state():
    model = nn.SimpleCell(64, activation_fn=lambda x: x)
    variables = abstract(model, like(40, 64), like(40, 32))
    found = inventory(model, variables, inputs=[like(40, 64), like(40, 32)])
    run = jax.jit(lambda values, x: model.apply(with_values(variables, values), jnp.tile(x, 2), x)[1])
    assert kept(found, run, (40, 32)) == pytest.approx(2, abs=0.2)


def test_a_convolutional_cell_packs_its_gates():
    model = nn.ConvLSTMCell(8, (3, 3))
    carry = jax.eval_shape(lambda: model.initialize_carry(KEY, (2, 6, 6, 4)))
    found = inventory(model, inputs=[carry, like(2, 6, 6, 4)])
    assert fans(named(found, "ih.kernel")) == Fans(36, 72)
    assert fans(named(found, "hh.kernel")) == Fans(72, 72)
    assert named(found, "hh.kernel").kind == "recurrent"


class Mixed(nn.Module):
    @nn.compact
    def __call__(self, ids):
        x = nn.Embed(10, 6)(ids) + self.param("position", nn.initializers.zeros, (4, 6))
        for norm in (nn.LayerNorm(), nn.RMSNorm(), nn.GroupNorm(2), nn.BatchNorm(True)):
            x = norm(x)
        x = nn.PReLU()(x)
        x = nn.Conv(6, 3, mask=np.ones((3, 6, 6)))(x)
        x = nn.SpectralNorm(nn.Dense(5), name="spectral")(x, update_stats=False)
        x = nn.WeightNorm(nn.Dense(5), name="weighted")(x)
        return nn.Dense(2, param_dtype=jnp.bfloat16)(x)


def test_what_is_a_parameter_and_what_is_kept():
    found = inventory(Mixed(), inputs=[like(2, 4, dtype="int32")])
    kinds = {p.name: p.kind for p in found.parameters}
    assert {kind for name, kind in kinds.items() if "Norm_" in name and "weighted" not in name} <= {"norm"}
    assert kinds["Embed_0.embedding"] == "embedding"
    assert (kinds["position"], kinds["Conv_0.kernel"]) == ("unknown", "unknown")
    assert kinds["PReLU_0.negative_slope"] == "slope"
    assert {k.name: k.reason for k in found.kept}["batch_stats.BatchNorm_0.mean"] == "buffer (batch_stats)"
    rescaled = {p.name: p for p in found.parameters if p.layer in ("SpectralNorm", "WeightNorm")}
    assert {"Dense_0.kernel", "Dense_1.kernel"} <= rescaled.keys()
    assert {p.kind for p in rescaled.values()} == {"unknown"}
    assert named(found, "Dense_2.kernel").roles == ("head",)


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _=None):
        x = x + nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(x))
        hidden = nn.Dense(16)(nn.LayerNorm()(x))
        return x + nn.Dense(8)(nn.gelu(hidden)), None


class Scanned(nn.Module):
    @nn.compact
    def __call__(self, x):
        stack = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        x, _ = stack(name="blocks")(x, None)
        experts = nn.vmap(
            nn.Dense, variable_axes={"params": 0}, split_rngs={"params": True}, in_axes=None, axis_size=5
        )
        return experts(4, name="experts")(x)


def test_scanned_and_vectorized_layers_are_matrices_side_by_side():
    found = inventory(Scanned(), inputs=[like(2, 4, 8)])
    query = named(found, "blocks.MultiHeadDotProductAttention_0.query.kernel")
    assert (query.axes, query.roles) == (("expert", "in", "out", "out"), ("query",))
    assert fans(query) == Fans(8, 8)
    last = named(found, "blocks.Dense_1.kernel")
    assert (last.roles, last.block, last.blocks) == (("residual_out",), None, 3)
    experts = named(found, "experts.kernel")
    assert (experts.axes, experts.blocks) == (("expert", "in", "out"), 0)
    assert fans(named(found, "experts.bias")) == Fans(8, 4)


def test_an_axis_that_is_not_stacked_in_front_is_found():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            axes = {"variable_axes": {"params": 1}, "split_rngs": {"params": True}}
            return nn.vmap(nn.Dense, in_axes=None, axis_size=5, **axes)(4)(x)

    found = inventory(Model(), inputs=[like(2, 8)])
    assert found.parameters[0].axes == ("in", "expert", "out")


def test_without_inputs_only_what_names_say_for_sure_is_known():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Dense(8, name="projection")(nn.Conv(8, (3,))(x))
            x = nn.MultiHeadDotProductAttention(2)(nn.Dense(8)(x))
            x = nn.RNN(nn.GRUCell(8))(nn.LayerNorm()(x))
            return nn.Dense(3)(x)

    variables = abstract(Model(), like(2, 4, 6))
    found = inventory(Model(), variables)
    full = {p.name: p for p in inventory(Model(), variables, inputs=[like(2, 4, 6)]).parameters}
    assert found.source == "Model (flax.linen, without example inputs)"
    for p in found.parameters:
        unknown = p.name.startswith(("projection", "Conv_0"))
        assert (p.kind == "unknown") == unknown
        same = full[p.name]
        assert unknown or (p.axes, p.kind, p.gate_names) == (same.axes, same.kind, same.gate_names)
    assert named(found, "Conv_0.kernel").layer == "Conv"


def test_blocks_with_automatic_names_are_counted_by_their_numbers():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            for _ in range(11):
                x, _ = Block()(x)
            return nn.Dense(3, name="head")(x)

    found = inventory(Model(), abstract(Model(), like(2, 4, 8)))
    last = named(found, "Block_10.MultiHeadDotProductAttention_0.out.kernel")
    assert (last.block, last.blocks) == (10, 11)
    assert last.roles == ("attention_out", "residual_out")


def test_one_array_is_one_argument():
    x = np.zeros((2, 3), "float32")
    assert inventory(nn.Dense(2), inputs=x) == inventory(nn.Dense(2), inputs=[x])


def test_a_kernel_that_is_stored_in_another_way_is_unknown():
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            def turned(tree):
                return jax.tree.map(lambda leaf: leaf.T, tree)

            stored = nn.map_variables(nn.Dense, "params", turned, turned, init=True)
            return stored(5, use_bias=False)(x)

    (kernel,) = inventory(Model(), inputs=like(2, 3)).parameters
    assert (kernel.kind, kernel.shape, kernel.layer) == ("unknown", (5, 3), "Dense")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({}, "no Linen model's variables"), ({"inputs": [like(2, 3), 1, 2]}, "fails on the example inputs")],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(FaninError, match=message):
        inventory(nn.Dense(2), **arguments)


def test_nothing_is_computed():
    huge = nn.Dense(1 << 20)
    (kernel, _) = inventory(huge, inputs=[like(1, 1 << 20)]).parameters
    assert kernel.shape == (1 << 20, 1 << 20)


def test_values_put_in_are_read_again_and_the_rest_is_untouched():
    ids = like(2, 4, dtype="int32")
    variables = FrozenDict(filled(Mixed(), ids))
    parameters = inventory(Mixed(), variables, inputs=[ids]).parameters
    rng = np.random.default_rng(0)
    values = {p.name: rng.normal(size=p.shape) for p in parameters if "Dense" in p.name}
    new = with_values(variables, values)
    assert isinstance(new, FrozenDict)
    assert new["params"]["Dense_2"]["kernel"].dtype == jnp.bfloat16
    assert np.allclose(new["params"]["Dense_2"]["kernel"], values["Dense_2.kernel"], rtol=1e-2)
    assert new["params"]["position"] is variables["params"]["position"]
    assert new["batch_stats"]["BatchNorm_0"]["mean"] is variables["batch_stats"]["BatchNorm_0"]["mean"]
    with pytest.raises(FaninError, match="has no"):
        with_values(variables, {"batch_stats.BatchNorm_0.mean": np.zeros(6)})


def test_boxes_stay_around_the_arrays():
    model = nn.Dense(6, kernel_init=nn.with_partitioning(nn.initializers.zeros, (None, "data")))
    variables = model.init(KEY, jnp.zeros((1, 4)))
    assert inventory(model, variables, inputs=[like(1, 4)]).parameters[0].name == "kernel"
    new = with_values(variables, {"kernel": np.ones((4, 6))})["params"]["kernel"]
    assert isinstance(new, nn.Partitioned)
    assert new.names == (None, "data")
    assert (new.value == 1).all()


def test_it_works_under_jit_with_sharded_outputs():
    mesh = jax.make_mesh((2,), ("data",), devices=jax.devices()[:2])
    rows = NamedSharding(mesh, PartitionSpec("data"))
    variables = {"params": {"kernel": jax.device_put(jnp.zeros((4, 6)), rows), "bias": jnp.zeros(6)}}
    drawn = jax.jit(lambda key: with_values(variables, {"kernel": jax.random.normal(key, (4, 6))}))(KEY)
    assert drawn["params"]["kernel"].sharding.is_equivalent_to(rows, 2)
    assert with_values(variables, {"kernel": np.ones((4, 6))})["params"]["kernel"].sharding == rows
