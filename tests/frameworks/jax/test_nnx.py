"""What NNX modules consist of: against Flax's own layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from fanin.errors import FaninError
from fanin.frameworks.jax.nnx.inventory import inventory
from fanin.frameworks.jax.nnx.values import with_values
from fanin.graph.fans import Fans, fans
from second_moments import kept


def abstract(make):
    """Return a module without values: nothing is drawn, so that no initializer has to be compiled."""
    return nnx.eval_shape(lambda: make(nnx.Rngs(0)))


def filled(make):
    model = abstract(make)
    return with_values(model, {p.name: np.zeros(p.shape) for p in inventory(model).parameters})


def linear(r, n=8, m=8, **more):
    return nnx.Linear(n, m, rngs=r, **more)


LAYERS = {
    "linear": (lambda r: nnx.Linear(48, 64, rngs=r), (40, 48)),
    "general": (lambda r: nnx.LinearGeneral((4, 8), (3, 16), axis=(-2, -1), rngs=r), (30, 4, 8)),
    "batched": (lambda r: nnx.LinearGeneral(16, 32, batch_axis={0: 5}, axis=-1, rngs=r), (5, 40, 16)),
    "einsum": (lambda r: nnx.Einsum("abc,cde->abde", (8, 4, 16), (4, 16), rngs=r), (10, 6, 8)),
    "experts": (lambda r: nnx.Einsum("abc,bcd->abd", (6, 8, 16), rngs=r), (20, 6, 8)),
    "conv1d": (lambda r: nnx.Conv(6, 24, 5, rngs=r), (4, 50, 6)),
    "grouped": (lambda r: nnx.Conv(6, 24, (3, 3), feature_group_count=3, rngs=r), (4, 20, 20, 6)),
    "strided": (lambda r: nnx.Conv(6, 24, (3, 3), strides=2, rngs=r), (4, 31, 31, 6)),
    "depthwise": (lambda r: nnx.Conv(16, 32, (3, 3), feature_group_count=16, rngs=r), (4, 20, 20, 16)),
    "dilated_inputs": (
        lambda r: nnx.Conv(12, 24, (4, 4), input_dilation=2, padding=2, rngs=r),
        (4, 16, 16, 12),
    ),
    "transposed": (lambda r: nnx.ConvTranspose(12, 24, (4, 4), strides=(2, 2), rngs=r), (4, 16, 16, 12)),
    "transposed_kernel": (
        lambda r: nnx.ConvTranspose(32, 8, (4, 4), strides=(2, 2), transpose_kernel=True, rngs=r),
        (4, 16, 16, 32),
    ),
    "transposed_1d": (lambda r: nnx.ConvTranspose(12, 24, 9, strides=3, rngs=r), (4, 40, 12)),
    "attention": (lambda r: nnx.MultiHeadAttention(4, 32, decode=False, rngs=r), (40, 1, 32)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_variance_of_one_over_fan_in_keeps_the_second_moment(name):
    make, shape = LAYERS[name]
    model = abstract(make)
    run = jax.jit(lambda values, x: with_values(model, values)(x))
    assert kept(inventory(model), run, shape) == pytest.approx(1, abs=0.12)


def named(model, name):
    return next(p for p in inventory(model).parameters if p.name == name)


def test_a_simple_cell_sums_its_inputs_and_its_state():
    model = abstract(lambda r: nnx.SimpleCell(32, 64, activation_fn=lambda x: x, rngs=r))
    run = jax.jit(lambda values, x: with_values(model, values)(jnp.tile(x, 2), x)[1])
    assert kept(inventory(model), run, (40, 32)) == pytest.approx(2, abs=0.2)
    assert named(model, "dense_h.kernel").kind == "recurrent"


def test_gates_are_matrices_of_their_own():
    lstm = abstract(lambda r: nnx.OptimizedLSTMCell(5, 16, rngs=r))
    assert fans(named(lstm, "dense_i.kernel")) == Fans(5, 16)
    assert fans(named(lstm, "dense_h.kernel")) == Fans(16, 16)
    one_by_one = abstract(lambda r: nnx.LSTMCell(5, 16, rngs=r))
    assert fans(named(one_by_one, "if_.kernel")) == Fans(5, 16)
    assert named(one_by_one, "hf.kernel").roles == ("recurrent", "gate")
    assert named(one_by_one, "hf.kernel").layer == "LSTMCell"


def opened(make, **gates):
    """Return a cell with zero weights and a large bias of some sign at some gates."""
    model = abstract(make)
    values = {}
    for p in inventory(model).parameters:
        pieces = [gates.get(gate, 0.0) for gate in p.gate_names] if p.kind == "bias" else [0.0]
        values[p.name] = np.broadcast_to(np.repeat(pieces, p.shape[-1] // len(pieces)), p.shape)
    return with_values(model, values)


@pytest.mark.parametrize("cell", [nnx.LSTMCell, nnx.OptimizedLSTMCell])
def test_gates_of_an_lstm_are_named_as_they_act(cell):
    h = c = jnp.full(3, 0.5)
    model = opened(lambda r: cell(2, 3, rngs=r), input=-99, forget=99, output=99)
    (after, _), out = model((c, h), jnp.ones(2))
    assert after == pytest.approx(0.5)
    assert out == pytest.approx(np.tanh(0.5))


def test_gates_of_a_gru_are_named_as_they_act():
    h = jnp.full(3, 0.5)

    def make(r):
        return nnx.GRUCell(2, 3, rngs=r)

    assert opened(make, update=99)(h, jnp.ones(2))[1] == pytest.approx(0.5)
    assert opened(make, update=-99, new=99)(h, jnp.ones(2))[1] == pytest.approx(1)


class Mixed(nnx.Module):
    def __init__(self, r):
        self.norms = nnx.List([nnx.LayerNorm(4, rngs=r), nnx.RMSNorm(4, rngs=r), nnx.GroupNorm(4, 2, rngs=r)])
        self.batch = nnx.BatchNorm(4, rngs=r)
        self.table = nnx.Embed(10, 3, rngs=r)
        self.adapter = nnx.LoRA(8, 2, 8, base_module=linear(r), rngs=r)
        self.prelu = nnx.PReLU()
        self.drop = nnx.Dropout(0.1, rngs=r)
        self.array = nnx.data(jnp.ones(3))
        self.counts = nnx.Param(jnp.arange(3))
        self.weighted = nnx.WeightNorm(linear(r), rngs=r)


def test_what_is_a_parameter_and_what_is_kept():
    model = abstract(Mixed)
    reasons = {k.name: k.reason for k in inventory(model).kept}
    assert reasons["batch.mean"] == "buffer (BatchStat)"
    assert reasons["drop.rngs.key"] == "buffer (RngKey)"
    assert reasons["array"] == "an array, not a variable"
    assert reasons["counts"] == "integers, not trained"
    kinds = {p.name: p.kind for p in inventory(model).parameters}
    assert {kinds[name] for name in kinds if "norms" in name or "batch" in name} == {"norm"}
    assert kinds["table.embedding"] == "embedding"
    assert (kinds["adapter.lora_a"], kinds["adapter.lora_b"]) == ("kernel", "unknown")
    assert kinds["adapter.base_module.kernel"] == "kernel"
    assert kinds["prelu.negative_slope"] == "slope"
    assert (kinds["weighted.layer_instance.kernel"], kinds["weighted.layer_instance.bias"]) == (
        "unknown",
        "bias",
    )


def test_a_masked_kernel_is_unknown():
    model = nnx.Conv(2, 3, 3, mask=jnp.ones((3, 2, 3)), rngs=nnx.Rngs(0))
    assert [p.kind for p in inventory(model).parameters] == ["unknown", "unknown"]


def test_the_first_matrix_of_an_adapter_keeps_the_second_moment():
    model = abstract(lambda r: nnx.LoRA(48, 24, 24, rngs=r))
    run = jax.jit(lambda values, x: with_values(model, {**values, "lora_b": np.eye(24)})(x))
    assert kept(inventory(model), run, (40, 48)) == pytest.approx(1, abs=0.12)


def test_sequential_says_what_feeds_a_layer():
    def make(r):
        inner = nnx.Sequential(linear(r), jnp.tanh)
        drop = nnx.Dropout(0.1, deterministic=True)
        return nnx.Sequential(
            linear(r), nnx.gelu, drop, inner, linear(r), nnx.LayerNorm(8, rngs=r), linear(r)
        )

    fed = {p.name: p.inputs for p in inventory(abstract(make)).parameters if p.name.endswith("kernel")}
    assert fed == {
        "layers.0.kernel": "data",
        "layers.3.layers.0.kernel": "gelu_tanh",
        "layers.4.kernel": "tanh",
        "layers.6.kernel": "norm",
    }
    assert named(abstract(make), "layers.6.kernel").roles == ("head",)


class Block(nnx.Module):
    def __init__(self, r):
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=r)
        self.fc1, self.fc2 = linear(r, 8, 16), linear(r, 16, 8)


class Transformer(nnx.Module):
    def __init__(self, r):
        self.token = nnx.Embed(10, 8, rngs=r)
        self.blocks = nnx.List([Block(r) for _ in range(2)])
        self.head = linear(r, 8, 3)
        self.again = self.head
        self.shared = self.also_shared = nnx.Param(jnp.ones(3))


def test_blocks_and_roles():
    model = abstract(Transformer)
    roles = {p.name: p.roles for p in inventory(model).parameters if p.roles and "blocks" in p.name}
    one = {name.removeprefix("blocks.1."): found for name, found in roles.items() if "blocks.1." in name}
    assert one == {
        "attention.query.kernel": ("query",),
        "attention.key.kernel": ("key",),
        "attention.value.kernel": ("value",),
        "attention.out.kernel": ("attention_out", "residual_out"),
        "fc2.kernel": ("residual_out",),
    }
    assert (named(model, "blocks.1.fc1.kernel").block, named(model, "blocks.1.fc1.kernel").blocks) == (1, 2)
    assert named(model, "again.kernel").roles == ()


def test_blocks_are_counted_in_their_own_order():
    def make(r):
        return nnx.List([nnx.List([Block(r)]) for _ in range(11)])

    places = {p.name: p.block for p in inventory(abstract(make)).parameters if p.name.endswith("fc1.bias")}
    assert places["10.0.fc1.bias"] == 10
    assert places["2.0.fc1.bias"] == 2


def test_ties_are_kept_and_stay_ties():
    model = filled(Transformer)
    ties = {k.name: k.reason for k in inventory(model).kept}
    assert ties["head.kernel"] == "tied to again.kernel"
    assert ties["shared"] == "tied to also_shared"
    new = with_values(model, {"again.kernel": np.full((8, 3), 2.0)})
    assert new.head is new.again
    assert new.shared is new.also_shared
    assert (new.head.kernel[...] == 2).all()
    assert (model.head.kernel[...] == 0).all()
    with pytest.raises(FaninError, match="one variable"):
        with_values(model, {"again.kernel": np.ones((8, 3)), "head.kernel": np.ones((8, 3))})


def test_a_module_reads_the_same_after_split_and_merge():
    model = filled(Transformer)
    assert inventory(nnx.merge(*nnx.split(model))) == inventory(model) == inventory(abstract(Transformer))


def test_values_put_in_are_read_again_and_the_rest_is_untouched():
    model = filled(Mixed)
    rng = np.random.default_rng(0)
    parameters = [p for p in inventory(model).parameters if "adapter" not in p.name]
    values = {p.name: rng.normal(size=p.shape).astype("float32") for p in parameters}
    new = with_values(model, values)
    old_state = {".".join(map(str, path)): v for path, v in nnx.to_flat_state(nnx.state(model))}
    for path, variable in nnx.to_flat_state(nnx.state(new)):
        name = ".".join(map(str, path))
        before = old_state[name]
        same = variable.get_value() is before.get_value() if hasattr(before, "get_value") else True
        assert (variable[...] == values[name]).all() if name in values else same
    assert inventory(new) == inventory(model)


def test_stacked_layers_are_matrices_side_by_side():
    make = nnx.vmap(lambda key: linear(nnx.Rngs(key), 2, 3))
    many = nnx.eval_shape(lambda: make(jax.random.split(jax.random.key(0), 5)))
    assert named(many, "kernel").axes == ("expert", "in", "out")
    assert named(many, "bias").axes == ("expert", "out")
    assert fans(named(many, "kernel")) == Fans(2, 3)


def test_a_module_that_knows_its_parent_is_read_once():
    class Child(nnx.Module):
        def __init__(self, parent, r):
            self.parent, self.fc = parent, linear(r, 2, 3)

    class Parent(nnx.Module):
        def __init__(self, r):
            self.child = Child(self, r)

    assert [p.name for p in inventory(Parent(nnx.Rngs(0))).parameters] == ["child.fc.bias", "child.fc.kernel"]


def test_it_works_under_jit_with_sharded_outputs():
    mesh = jax.make_mesh((2,), ("data",), devices=jax.devices()[:2])
    rows = NamedSharding(mesh, PartitionSpec("data"))
    model = filled(lambda r: linear(r, 4, 6))
    model.kernel.set_value(jax.device_put(model.kernel.get_value(), rows))

    @jax.jit
    def drawn(key):
        return nnx.state(with_values(model, {"kernel": jax.random.normal(key, (4, 6))}))

    assert drawn(jax.random.key(0))["kernel"].get_value().sharding.is_equivalent_to(rows, 2)
    assert with_values(model, {"kernel": np.ones((4, 6))}).kernel.get_value().sharding == rows
