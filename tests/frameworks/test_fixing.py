"""Fixes are tried on a model of any framework, which is afterwards as it was."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
from flax import linen
from flax.core import freeze
from torch import nn

import fanin
from fanin.frameworks.fixing import scheme_of, standardized
from fanin.rules.finding import Fix
from frameworks.jax.checking import faulty as jaxs
from frameworks.keras.checking import faulty as kerases

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(64, 16)).astype("float32"), np.arange(64) % 10
CE = {"loss": "cross_entropy"}


def function(params, x):
    for layer in params["body"]:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    return x @ params["head"].T


def constants():
    body = [{"w": jnp.full((16, 16), 0.01), "b": jnp.zeros(16)} for _ in range(2)]
    return {"body": body, "head": jnp.full((10, 16), 0.01)}


def tried(model, x=X, y=Y, **options):
    before = jax.tree.map(np.array, options.get("params"))
    report = fanin.diagnose(model, x, y, **options).fix_report()
    jax.tree.map(np.testing.assert_array_equal, before, options.get("params"))
    return report


def works(report):
    return report.works and not report.left and report.before.findings[0].code == "SYM101"


@pytest.mark.parametrize("of", [lambda made: made, lambda made: made["params"], freeze, lambda made: None])
def test_linen_modules_with_variables_in_every_form(of):
    model, x, y, options = jaxs.constants()
    assert works(tried(model, x, y, **options, params=of(model.init(jax.random.key(1), x))))


def test_a_linen_module_whose_inputs_are_described():
    model, *_ = jaxs.constants()
    assert works(tried(model, None, None, **CE, inputs="32x64"))


def test_a_linen_module_that_is_told_whether_it_trains():
    class Model(linen.Module):
        @linen.compact
        def __call__(self, tokens, *, train: bool):
            init = linen.initializers.constant(0.02)
            x = linen.relu(linen.Dense(32, kernel_init=init)(tokens))
            x = linen.Dropout(0.1, deterministic=not train)(linen.BatchNorm(not train)(x))
            return linen.Dense(10, kernel_init=init)(x)

    assert works(tried(Model(), {"tokens": X}, Y, **CE))


def test_functions():
    assert works(tried(function, **CE, params=constants()))
    assert works(tried(function, **CE, start=lambda key: constants()))
    assert works(tried(function, None, None, **CE, inputs=(64, 16), params=constants()))
    nested = {"params": constants()}  # as a module's variables, but not such
    assert works(tried(lambda params, x: function(params["params"], x), **CE, params=nested))


def test_a_function_of_one_argument_with_names():
    def model(params, batch):
        return function(params, batch["x"])

    assert works(tried(model, {"x": X}, Y, **CE, params=constants()))


def test_a_function_of_one_array():
    def model(w, x):
        return x @ w

    report = tried(model, **CE, params=jnp.full((16, 10), 20.0) * RANDOM.normal(size=(16, 10)))
    assert report.works
    assert report.before.findings[0].code == "OUT101"


def test_the_plan_of_a_function_is_applied_to_its_parameters():
    params = {"params": constants()}

    def model(params, x):
        return function(params["params"], x)

    found = fanin.diagnose(model, X, Y, **CE, params=params)
    plan = found.fixed_plan()
    assert plan["params.head"].fan_in == 16
    assert fanin.diagnose(model, X, Y, **CE, params=fanin.apply(plan, params)).ok


def test_what_a_function_has_that_nobody_knows_stays():
    """Weights that are multiplied one by one are none of a layer's."""
    params = {"w": jnp.full((16, 16), 0.01), "mask": jnp.full((16, 10), 0.5), "v": jnp.full((16, 10), 0.01)}

    def model(params, x):
        return jax.nn.relu(x @ params["w"]) @ (params["v"] * params["mask"])

    found = fanin.diagnose(model, X, Y, **CE, params=params)
    assert [row.parameter.name for row in found.fixed_plan()] == ["w"]
    assert not {"mask", "v"} - {kept.name for kept in found.fixed_plan().untouched}


def test_raw_pixels_of_keras():
    """Outputs that are probabilities: what chance adds to the loss depends on the logits behind them."""
    keras.utils.set_random_seed(0)
    model, x, y, loss = kerases.a9()
    before = model.get_weights()
    report = fanin.diagnose(model, x, y, loss=loss).fix_report()
    assert [one.code for one in report.gone] == ["INP101"]
    assert report.works
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_schemes_of_layers_are_for_weights_in_them():
    model = nn.ModuleDict({"fc": nn.Linear(4, 8), "fc2": nn.Linear(8, 2), "norm": nn.LayerNorm(8)})
    layers = Fix("", scheme="he_normal", layers=("fc#2", "norm"))
    assert [row.parameter.name for row in fanin.plan(model, scheme_of(layers))] == ["fc.weight"]
    named = Fix("", scheme="random_normal", layers=("fc2.bias",))
    assert [row.parameter.name for row in fanin.plan(model, scheme_of(named))] == ["fc2.bias"]


def test_schemes_of_layers_of_keras():
    parts = [keras.layers.Dense(8, name="one"), keras.layers.Dense(8, name="one_1")]
    model = keras.Sequential([keras.Input((4,)), *parts], name="net")
    made = fanin.plan(model, scheme_of(Fix("", scheme="he_normal", layers=("net/one",))))
    assert [row.parameter.name for row in made] == ["net/one/kernel"]


def test_a_head_alone():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.constant_(model[2].weight, 0.1)
    report = fanin.diagnose(model, torch.tensor(X), torch.tensor(Y), **CE).fix_report()
    assert report.fixes[0].layers == ("2",)
    assert report.works
    assert (model[2].weight == 0.1).all()


def test_what_is_standardized():
    mask, ids = np.array([[True, False]] * 4), np.arange(8).reshape(4, 2)
    given = {"x": 5 + 3 * RANDOM.normal(size=(4, 2)), "mask": mask, "ids": ids, "train": True, "none": None}
    given["pixels"] = RANDOM.integers(0, 255, (4, 2, 2)).astype("uint8")
    given["tensors"] = (torch.tensor([[1.0], [3.0]]), torch.tensor([True]))
    found = standardized(given)
    assert np.allclose(found["x"].mean(0), 0, atol=1e-6)
    assert np.allclose(found["x"].std(0), 1)
    assert found["pixels"].std() == pytest.approx(1)
    assert found["tensors"][0].flatten().tolist() == [-1, 1]
    assert found["tensors"][1].dtype == torch.bool
    assert all(found[name] is given[name] for name in ("mask", "ids", "train", "none"))
