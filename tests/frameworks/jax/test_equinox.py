"""What Equinox modules consist of: against its own layers."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from fanin.errors import FaninError
from fanin.frameworks.jax.equinox.inventory import inventory
from fanin.frameworks.jax.equinox.values import with_values
from fanin.graph.fans import Fans, fans
from second_moments import kept

nn = eqx.nn
KEY = jax.random.key(0)


def filled(make):
    """Return a module full of zeros: nothing is drawn, so that no initializer has to be compiled."""
    abstract = eqx.filter_eval_shape(make)
    return with_values(abstract, {p.name: np.zeros(p.shape) for p in inventory(abstract).parameters})


LAYERS = {
    "linear": (lambda: nn.Linear(48, 64, key=KEY), (40, 48)),
    "conv1d": (lambda: nn.Conv1d(6, 24, 5, key=KEY), (4, 50, 6)),
    "conv2d_grouped": (lambda: nn.Conv2d(6, 24, 3, groups=3, key=KEY), (4, 20, 20, 6)),
    "conv2d_strided": (lambda: nn.Conv2d(6, 24, 3, stride=2, key=KEY), (4, 31, 31, 6)),
    "conv2d_depthwise": (lambda: nn.Conv2d(16, 32, 3, groups=16, key=KEY), (4, 20, 20, 16)),
    "conv3d": (lambda: nn.Conv3d(4, 16, 3, key=KEY), (2, 9, 9, 9, 4)),
    "transposed": (lambda: nn.ConvTranspose2d(12, 24, 4, stride=2, padding=1, key=KEY), (4, 16, 16, 12)),
    "transposed_1": (lambda: nn.ConvTranspose2d(12, 24, 3, padding=1, key=KEY), (4, 20, 20, 12)),
    "transposed_grouped": (
        lambda: nn.ConvTranspose1d(12, 24, 9, stride=3, groups=3, padding=3, key=KEY),
        (4, 40, 12),
    ),
    "attention": (lambda: nn.MultiheadAttention(4, 32, use_output_bias=True, key=KEY), (40, 1, 32)),
    "weight_norm": (lambda: nn.WeightNorm(nn.Linear(48, 64, key=KEY)), (40, 48)),
}


def on_batch(model, x):
    if isinstance(model, nn.MultiheadAttention):  # of one place to attend to, it has only a linear path
        return jax.vmap(lambda x: model(x, x, x))(x)
    return jnp.moveaxis(jax.vmap(model)(jnp.moveaxis(x, -1, 1)), 1, -1)


@pytest.mark.parametrize("name", LAYERS)
def test_a_variance_of_one_over_fan_in_keeps_the_second_moment(name):
    make, shape = LAYERS[name]
    model = eqx.filter_eval_shape(make)
    run = eqx.filter_jit(lambda values, x: on_batch(with_values(model, values), x))
    assert kept(inventory(model), run, shape) == pytest.approx(1, abs=0.12)


def named(model, name):
    return next(p for p in inventory(model).parameters if p.name == name)


def test_gates_are_matrices_of_their_own():
    lstm = eqx.filter_eval_shape(nn.LSTMCell, 5, 16, key=KEY)
    gru = eqx.filter_eval_shape(nn.GRUCell, 5, 16, key=KEY)
    assert fans(named(lstm, "weight_ih")) == Fans(5, 16)
    assert fans(named(lstm, "weight_hh")) == Fans(16, 16)
    assert named(gru, "weight_hh").kind == "recurrent"
    assert (named(lstm, "bias").gates, named(gru, "bias").gates, named(gru, "bias_n").gates) == (4, 3, 1)


def gate_opened(model, **gates):
    """Return the cell with zero weights and a large bias of some sign at some gates."""
    bias = named(model, "bias")
    size = bias.shape[0] // bias.gates
    zeros = {p.name: np.zeros(p.shape) for p in inventory(model).parameters}
    parts = [np.full(size, gates.get(gate, 0.0)) for gate in bias.gate_names]
    return with_values(model, {**zeros, "bias": np.concatenate(parts)})


def test_gates_are_packed_in_the_order_that_is_told():
    h = c = jnp.full(3, 0.5)
    lstm = gate_opened(eqx.filter_eval_shape(nn.LSTMCell, 2, 3, key=KEY), input=-99, forget=99, output=99)
    after, cell = lstm(jnp.ones(2), (h, c))
    assert cell == pytest.approx(0.5)
    assert after == pytest.approx(np.tanh(0.5))
    gru = eqx.filter_eval_shape(nn.GRUCell, 2, 3, key=KEY)
    assert gate_opened(gru, update=99)(jnp.ones(2), h) == pytest.approx(0.5)
    assert gate_opened(gru, update=-99, new=99)(jnp.ones(2), h) == pytest.approx(1)


def test_norms_tables_and_unknown_layers():
    table = filled(lambda: nn.Embedding(10, 3, key=KEY))
    model = [nn.LayerNorm(4), nn.RMSNorm(4), nn.GroupNorm(2, 4), table, nn.PReLU()]
    kinds = [p.kind for p in inventory(model).parameters]
    assert kinds == [*["norm"] * 6, "embedding", "slope"]
    assert named(model, "3.weight").roles == ("embedding",)
    assert named(model, "4.negative_slope").layer == "PReLU"


def test_what_is_no_parameter_is_kept_with_a_reason():
    class Mine(eqx.Module):
        table: np.ndarray
        index: jax.Array
        function: object
        norm: nn.BatchNorm
        wrapped: nn.SpectralNorm
        name: str = eqx.field(static=True, default="mine")

    norm = nn.BatchNorm(4, "batch", mode="batch")
    wrapped = eqx.filter_eval_shape(lambda: nn.SpectralNorm(nn.Linear(2, 3, key=KEY), "weight", key=KEY))
    model = Mine(np.ones(3), jnp.arange(3), jnp.tanh, norm, wrapped)
    found = inventory(model)
    reasons = {k.name: k.reason for k in found.kept}
    assert reasons["table"] == "a NumPy array, which Equinox does not train"
    assert reasons["index"] == "integers, not trained"
    assert reasons["function"] == "not an array"
    assert reasons["norm.batch_counter.init"] == "buffer"
    assert "name" not in reasons
    assert named(model, "wrapped.layer.weight").kind == "unknown"
    assert named(model, "wrapped.layer.weight").layer == "SpectralNorm"


def test_mlp_and_sequential_say_what_feeds_a_layer():
    mlp = filled(lambda: nn.MLP(4, 2, 7, 2, activation=jax.nn.gelu, key=KEY))
    linear = filled(lambda: nn.Linear(2, 2, key=KEY))
    ends = [nn.LayerNorm(2), linear, linear, nn.PReLU()]
    model = nn.Sequential([mlp, nn.Lambda(jnp.tanh), nn.Dropout(0.5), linear, *ends])
    fed = {p.name: p.inputs for p in inventory(model).parameters if p.name.endswith("weight")}
    assert fed == {
        "layers.0.layers.0.weight": "data",
        "layers.0.layers.1.weight": "gelu_tanh",
        "layers.0.layers.2.weight": "gelu_tanh",
        "layers.3.weight": "tanh",
        "layers.4.weight": "Linear",
        "layers.5.weight": "norm",
        "layers.6.weight": "Linear",
    }
    assert named(model, "layers.6.weight").roles == ("head",)


def test_stacked_layers_are_matrices_side_by_side():
    model = eqx.filter_eval_shape(lambda: nn.MLP(4, 2, 7, 4, scan=True, key=KEY))
    assert named(model, "layers.1.weight").axes == ("expert", "out", "in")
    assert fans(named(model, "layers.1.weight")) == Fans(7, 7)
    many = eqx.filter_vmap(lambda key: nn.Embedding(10, 3, key=key))
    tables = eqx.filter_eval_shape(many, jax.random.split(KEY, 5))
    assert fans(named(tables, "weight")) == Fans(1, 3)


class Block(eqx.Module):
    attention: nn.MultiheadAttention
    fc1: nn.Linear
    fc2: nn.Linear

    def __init__(self):
        self.attention = nn.MultiheadAttention(2, 8, key=KEY)
        self.fc1, self.fc2 = nn.Linear(8, 16, key=KEY), nn.Linear(16, 8, key=KEY)


class Transformer(eqx.Module):
    ends: nn.Shared
    blocks: list

    def __init__(self):
        ends = nn.Embedding(10, 8, key=KEY), nn.Linear(8, 10, key=KEY)
        self.ends = nn.Shared(ends, lambda ends: ends[1].weight, lambda ends: ends[0].weight)
        self.blocks = [Block(), Block(), Block()]


def test_blocks_and_roles():
    model = eqx.filter_eval_shape(Transformer)
    roles = {p.name: p.roles for p in inventory(model).parameters if p.roles}
    one = {name.removeprefix("blocks.1."): found for name, found in roles.items() if "blocks.1." in name}
    assert one == {
        "attention.query_proj.weight": ("query",),
        "attention.key_proj.weight": ("key",),
        "attention.value_proj.weight": ("value",),
        "attention.output_proj.weight": ("attention_out", "residual_out"),
        "fc2.weight": ("residual_out",),
    }
    assert not any("head" in found for found in roles.values())
    last = named(model, "blocks.2.fc1.weight")
    assert (last.block, last.blocks) == (2, 3)


def test_ties_are_kept_and_stay_ties():
    model = eqx.filter_eval_shape(Transformer)
    found = inventory(model)
    tied = next(k for k in found.kept if k.reason.startswith("tied"))
    assert (tied.name, tied.reason) == ("ends.pytree.1.weight", "tied to ends.pytree.0.weight")
    bias = named(model, "ends.pytree.1.bias")
    assert fans(bias) == Fans(8, 10)
    zeros = {p.name: np.zeros(p.shape) for p in found.parameters}
    new = with_values(model, {**zeros, "ends.pytree.0.weight": np.full((10, 8), 2.0)})
    table, head = new.ends()
    assert (head.weight == 2).all()
    assert (table.weight == 2).all()
    with pytest.raises(FaninError, match="SharedNode"):
        with_values(model, {"ends.pytree.1.weight": np.ones((10, 8))})


def test_values_put_in_are_read_again_and_the_rest_is_untouched():
    model = filled(Transformer)
    parameters = inventory(model).parameters
    rng = np.random.default_rng(0)
    values = {p.name: rng.normal(size=p.shape).astype("float32") for p in parameters if "fc1" not in p.name}
    new = with_values(model, values)
    leaves = dict(
        zip([p.name for p in parameters], jax.tree.leaves(eqx.filter(new, eqx.is_array)), strict=True)
    )
    assert all((leaves[name] == value).all() for name, value in values.items())
    assert new.blocks[0].fc1.weight is model.blocks[0].fc1.weight
    assert jax.tree.structure(new) == jax.tree.structure(model)
    assert inventory(new) == inventory(model)


def test_an_abstract_module_is_read_and_filled():
    abstract = eqx.filter_eval_shape(lambda: nn.Linear(3, 2, key=KEY))
    full = with_values(abstract, {"weight": np.ones((2, 3)), "bias": np.zeros(2)})
    assert inventory(full) == inventory(abstract)
    assert (full(jnp.ones(3)) == 3).all()


def test_it_works_under_jit_with_sharded_outputs():
    mesh = jax.make_mesh((2,), ("data",), devices=jax.devices()[:2])
    rows = NamedSharding(mesh, PartitionSpec("data"))
    model = filled(lambda: nn.Linear(4, 6, key=KEY))
    model = eqx.tree_at(lambda m: m.weight, model, jax.device_put(model.weight, rows))
    drawn = eqx.filter_jit(lambda key: with_values(model, {"weight": jax.random.normal(key, (6, 4))}))(KEY)
    assert drawn.weight.sharding.is_equivalent_to(rows, 2)
    assert with_values(model, {"weight": np.ones((6, 4))}).weight.sharding == rows
