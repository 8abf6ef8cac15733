import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import fanin
from fanin.errors import FaninError
from fanin.frameworks.find import framework_of


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(64)(x))
        return nn.Dense(1)(nn.LayerNorm()(x))


class Nnx(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.a, self.b = nnx.Linear(20, 64, rngs=rngs), nnx.Linear(64, 1, rngs=rngs)
        self.norm = nnx.BatchNorm(64, rngs=rngs)


INPUTS = jax.ShapeDtypeStruct((2, 20), "float32")
POLICY = fanin.Policy({"head": "zeros"}, default="he_normal")


def test_a_linen_module_gets_its_variables():
    model = Linen()
    plan = fanin.plan(model, "auto", inputs=INPUTS)
    assert plan["Dense_1.kernel"].fan_in == 64
    variables = fanin.apply(plan, model, seed=3, inputs=INPUTS)
    assert model.apply(variables, jnp.ones((5, 20))).shape == (5, 1)
    assert (variables["params"]["LayerNorm_0"]["scale"] == 1).all()
    again = fanin.apply(plan, variables, seed=3)
    jax.tree.map(np.testing.assert_array_equal, variables, again)


def test_inputs_are_for_linen():
    with pytest.raises(FaninError, match="inputs are for Flax Linen modules"):
        fanin.plan(Nnx(), "he_normal", inputs=INPUTS)


def test_a_linen_module_needs_inputs():
    with pytest.raises(FaninError, match="has no parameters before it is called") as error:
        fanin.plan(Linen(), "he_normal")
    assert "jax.ShapeDtypeStruct" in str(error.value)


def test_an_nnx_module_is_copied():
    model = Nnx()
    before = np.asarray(model.a.kernel[...])
    made = fanin.initialize(model, "he_normal", seed=1)
    np.testing.assert_array_equal(model.a.kernel[...], before)
    assert float((made.a.kernel[...] ** 2).mean()) == pytest.approx(2 / 20, rel=0.15)
    assert (made.norm.mean[...] == 0).all()


def test_an_equinox_module_is_copied():
    model = eqx.nn.MLP(20, 1, 64, 2, activation=jax.nn.gelu, key=jax.random.key(0))
    plan = fanin.plan(model, "auto")
    assert "gelu" in plan["layers.1.weight"].reason
    made = fanin.apply(plan, model, seed=1)
    assert made.activation is model.activation or callable(made.activation)
    assert float((made.layers[1].weight ** 2).mean()) == pytest.approx(
        fanin.gain("gelu").gain ** 2 / 64, rel=0.1
    )


def test_a_pytree_is_reached_by_name():
    tree = {"layer": {"w": jnp.zeros((30, 40)), "steps": jnp.arange(3)}}
    assert fanin.plan(tree, "he_normal").untouched[0].reason == "unknown parameter"
    made = fanin.initialize(tree, fanin.Policy({"*.w": "normal(stddev=0.5)"}), seed=1)
    assert float(made["layer"]["w"].std()) == pytest.approx(0.5, rel=0.1)
    np.testing.assert_array_equal(made["layer"]["steps"], np.arange(3))


def test_the_same_name_has_the_same_values_in_every_framework():
    import torch

    module = torch.nn.ModuleDict({"w": torch.nn.Linear(8, 4)})
    theirs = fanin.initialize(module, "normal", seed=6)["w"].weight.detach().numpy()
    mine = fanin.initialize({"w": {"weight": jnp.zeros((4, 8))}}, fanin.Policy({"*": "normal"}), seed=6)
    np.testing.assert_array_equal(theirs, mine["w"]["weight"])


def test_an_abstract_model_can_be_planned():
    model = eqx.filter_eval_shape(eqx.nn.Linear, 20, 64, key=jax.random.key(0))
    plan = fanin.plan(model, "he_normal")
    made = fanin.apply(plan, model, seed=1)
    assert made.weight.shape == (64, 20)


def test_a_plan_for_another_model_is_refused():
    plan = fanin.plan(Nnx(), "he_normal")
    with pytest.raises(FaninError):
        fanin.apply(plan, eqx.nn.Linear(20, 64, key=jax.random.key(0)))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (Linen(), "linen"),
        (eqx.nn.Linear(1, 1, key=jax.random.key(0)), "equinox"),
        ({"w": jnp.zeros(3)}, "jax"),
        ([jnp.zeros(3)], "jax"),
    ],
)
def test_frameworks_are_told_apart(model, name):
    assert framework_of(model) == name


@pytest.mark.parametrize("thing", [3, "x", {}, [1, 2], Nnx, None])
def test_what_is_no_model_is_said_so(thing):
    with pytest.raises(FaninError, match=r"no model|not a model"):
        framework_of(thing)
