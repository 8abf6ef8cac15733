"""What feeds Linen's layers, what ends a residual branch, what the head is: read from the traced call."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from fanin.frameworks.jax.linen.inventory import inventory


def traced(function, *shapes, dtype="float32", **keywords):
    """Return what a model with a function as its call consists of."""

    class Model(nn.Module):
        @nn.compact
        def __call__(self, *inputs, **keywords):
            return function(*inputs, **keywords)

    inputs = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes or [(2, 4, 8)]]
    found = inventory(Model(), inputs=inputs, keywords=keywords)
    return {p.name: p for p in found.parameters if p.kind in ("kernel", "recurrent", "norm")}


BETWEEN = {
    "relu": nn.relu,
    "gelu_tanh": nn.gelu,
    "gelu": lambda x: nn.gelu(x, approximate=False),
    "silu": nn.silu,
    "leaky_relu(0.2)": lambda x: jnp.where(x > 0, x, 0.2 * x),
    "tanh": lambda x: jnp.tanh(x).reshape(2, -1),
    "relu6": jax.jit(nn.relu6),
    "softplus": jax.checkpoint(nn.softplus),
    "elu": lambda x: nn.max_pool(nn.elu(x), (2,)),
    "sigmoid": lambda x: nn.avg_pool(nn.sigmoid(x), (2,)),
    "mish": lambda x: nn.Dropout(0.5, deterministic=True)(jax.nn.mish(x)).mean(1),
    "selu": lambda x: nn.Sequential([nn.selu, lambda x: x.transpose(0, 2, 1)])(x),
    "norm": lambda x: nn.LayerNorm()(x)[:, :2],
    "Dense": lambda x: x,
    "PReLU": lambda x: nn.PReLU()(x),
    "sum": lambda x: x + nn.Dense(8)(x),
    "": lambda x: x * nn.Dense(8)(x),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_what_feeds_a_layer(name):
    found = traced(lambda x: nn.Dense(3, name="last")(BETWEEN[name](nn.Dense(8, name="first")(x))))
    assert found["first.kernel"].inputs == "data"
    assert found["last.kernel"].inputs == name


@pytest.mark.parametrize("function", [nn.softmax, nn.glu, lambda x: 2 * x, lambda x: x @ x.T, jnp.sort])
def test_what_is_not_known_stays_empty(function):
    found = traced(lambda x: nn.Dense(3, name="last")(function(nn.Dense(8)(x))), (4, 8))
    assert found["last.kernel"].inputs == ""


def test_a_layer_that_is_fed_in_two_ways_is_fed_by_nothing_known():
    def call(x):
        layer = nn.Dense(8, name="shared")
        return layer(nn.relu(layer(x)))

    assert traced(call)["shared.kernel"].inputs == ""


class Residual(nn.Module):
    kind: str

    @nn.compact
    def __call__(self, x, train=True):
        def dense(y, n=8):
            return nn.Dense(n)(y)

        if self.kind == "identity":
            return x + dense(nn.relu(dense(x)))
        if self.kind == "norm inside":
            return nn.relu(nn.LayerNorm()(dense(nn.relu(dense(x)))) + x)
        if self.kind == "projected":
            return nn.LayerNorm()(dense(nn.relu(dense(x)))) + nn.Dense(8, name="shortcut")(x)
        if self.kind == "dropout":
            return x + nn.Dropout(0.5, deterministic=not train)(dense(nn.relu(dense(x))))
        if self.kind == "scaled":
            return x + 0.5 * dense(nn.relu(dense(x)))
        if self.kind == "parallel":
            return dense(x) + dense(x)
        return dense(nn.relu(dense(x))) + self.param("shift", nn.initializers.zeros, (8,))


@pytest.mark.parametrize("kind", ["identity", "norm inside", "projected", "dropout", "scaled"])
def test_the_last_kernel_of_a_residual_branch(kind):
    found = traced(lambda x: nn.Sequential([Residual(kind), Residual(kind)])(x))
    ends = [name for name, p in found.items() if "residual_out" in p.roles]
    assert ends == ["Residual_0.Dense_1.kernel", "Residual_1.Dense_1.kernel"]
    assert (found[ends[1]].block, found[ends[1]].blocks) == (1, 2)


def test_branches_are_counted_and_their_layers_too():
    found = traced(lambda x: nn.Sequential([Residual("projected"), Residual("norm inside")])(x))
    kernels = {name: p for name, p in found.items() if p.kind == "kernel"}
    assert {p.branches for p in kernels.values()} == {2}
    shortcut = kernels.pop("Residual_0.shortcut.kernel")
    assert (shortcut.branch, shortcut.roles) == (0, ("shortcut",))
    assert {p.branch for p in kernels.values()} == {2}
    ends = [name for name, p in found.items() if p.roles == ("residual_norm",)]
    assert ends == ["Residual_0.LayerNorm_0.scale", "Residual_1.LayerNorm_0.scale"]


def test_a_branch_outside_of_blocks_and_attention():
    def call(x):
        x = x + nn.MultiHeadDotProductAttention(2, name="attention")(nn.LayerNorm()(x))
        return nn.Dense(8, name="last")(x)

    found = traced(call)
    assert found["attention.out.kernel"].roles == ("attention_out", "residual_out")
    assert {found[f"attention.{name}.kernel"].branch for name in ("query", "value", "out")} == {2}
    assert (found["last.kernel"].branch, found["last.kernel"].branches) == (0, 1)


class PreNorm(nn.Module):
    @nn.compact
    def __call__(self, x, _=None):
        return x + nn.Dense(8)(nn.gelu(nn.Dense(16)(nn.LayerNorm()(x)))), None


def test_streams_that_start_as_vectors_of_a_table():
    def looped(tokens):
        x = nn.Embed(9, 8)(tokens)
        for _ in range(3):
            x, _ = PreNorm()(x)
        return nn.Dense(9)(nn.LayerNorm()(x))

    def scanned(tokens):
        scan = nn.scan(PreNorm, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        x, _ = scan()(nn.Embed(9, 8)(tokens), None)
        return nn.Dense(9)(nn.LayerNorm()(x))

    for call in (looped, scanned):
        ends = [p for p in traced(call, (2, 5), dtype="int32").values() if "residual_out" in p.roles]
        assert {(p.stream, p.branches, p.branch) for p in ends} == {("embedding", 3, 2)}


@pytest.mark.parametrize("kind", ["parallel", "shifted"])
def test_other_sums_end_no_branch(kind):
    found = traced(lambda x: nn.Sequential([Residual(kind), Residual(kind)])(x))
    assert not any("residual_out" in p.roles for p in found.values())


def test_residual_branches_inside_remat_and_scan():
    def call(x):
        x = nn.remat(Residual)("identity", name="first")(x)
        return nn.Dense(3)(nn.remat(Residual)("identity", name="second")(x))

    found = traced(call)
    assert found["second.Dense_1.kernel"].roles == ("residual_out",)
    assert found["second.Dense_1.kernel"].inputs == "relu"
    assert found["second.Dense_0.kernel"].inputs == "sum"
    assert found["Dense_0.kernel"].roles == ("head",)


def test_heads_are_what_the_outputs_are_made_by():
    def call(x):
        x = nn.relu(nn.Dense(8, name="first")(x))
        value = jnp.tanh(nn.Dense(1, name="value")(x)).squeeze(-1)
        return {"value": value, "policy": nn.Dense(4, name="policy")(x)}

    found = traced(call)
    assert [name for name, p in found.items() if p.roles == ("head",)] == ["value.kernel", "policy.kernel"]


def test_a_tied_head_leaves_no_kernel_as_the_head():
    def call(x):
        table = nn.Embed(10, 8)
        return table.attend(nn.relu(nn.Dense(8)(x)) + table(jnp.zeros((2, 4), int)))

    assert traced(call)["Dense_0.kernel"].roles == ()
