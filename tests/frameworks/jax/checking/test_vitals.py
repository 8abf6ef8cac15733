"""What is seen of JAX models: layers by their paths, blocks, attention, scans, states and dropout."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import fanin
from fanin import FaninError
from frameworks.jax.checking.faulty import Gpt, tokens

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, 12)).astype("float32")
Y = np.arange(64) % 4


def vitals(model, x=X, y=None, **options):
    return fanin.diagnose(model, x, y, **options).vitals


def test_a_transformer():
    found = vitals(Gpt(nnx.Rngs(0)), *tokens(), loss="cross_entropy")
    blocks = [layer.name for layer in found.layers if layer.kind == "other" and layer.type == "Block"]
    assert blocks == ["blocks.0", "blocks.1", "blocks.2"]
    inside = [(layer.kind, layer.name) for layer in found.layers if layer.name.startswith("blocks.1")]
    assert inside == [
        ("norm", "blocks.1.norm1"),
        ("weights", "blocks.1.attention.query"),
        ("weights", "blocks.1.attention.key"),
        ("weights", "blocks.1.attention.value"),
        ("attention", "blocks.1.attention"),
        ("weights", "blocks.1.attention.out"),
        ("norm", "blocks.1.norm2"),
        ("weights", "blocks.1.up"),
        ("activation", "blocks.1"),
        ("weights", "blocks.1.down"),
        ("other", "blocks.1"),
    ]
    assert all(0.6 < layer.entropy < 1 for layer in found.layers if layer.kind == "attention")
    assert found.output.tied
    assert found.layers[0].type == "Embed"
    assert found.inputs[0].tokens
    query = next(layer for layer in found.layers if layer.name == "blocks.1.attention.query")
    assert (query.shape, query.units, query.places) == ((8, 32, 4, 16), 64, 256)


class Dense(nn.Module):
    size: int

    @nn.compact
    def __call__(self, x, _):
        x = nn.tanh(nn.Dense(self.size)(x))
        return nn.Dropout(0.5, deterministic=False)(x), None


class Scanned(nn.Module):
    @nn.compact
    def __call__(self, x):
        stack = nn.scan(
            Dense, variable_axes={"params": 0}, split_rngs={"params": True, "dropout": True}, length=3
        )
        return nn.Dense(4)(stack(12, name="stack")(x, None)[0])


def test_layers_in_a_scan_are_seen_one_by_one():
    model = Scanned()
    params = model.init({"params": jax.random.key(0), "dropout": jax.random.key(1)}, X)
    found = vitals(model, params=params)
    names = [layer.name for layer in found.weighted]
    assert names == ["stack.Dense_0", "stack.Dense_0#2", "stack.Dense_0#3", "Dense_0"]
    kernel, bias = (params["params"]["stack"]["Dense_0"][name] for name in ("kernel", "bias"))
    h = X
    for layer, w, b in zip(found.weighted, kernel, bias, strict=False):
        assert layer.output.scale == pytest.approx(np.sqrt(np.mean((h @ w + b) ** 2)), rel=1e-4)
        h = np.tanh(h @ w + b)  # without dropout


class Vision(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    drop: eqx.nn.Dropout
    head: eqx.nn.Linear

    def __init__(self, key):
        one, two = jax.random.split(key)
        self.conv = eqx.nn.Conv2d(1, 8, 3, key=one)
        self.norm = eqx.nn.BatchNorm(8, "batch", mode="batch")
        self.drop = eqx.nn.Dropout(0.5)
        self.head = eqx.nn.Linear(8 * 36, 3, key=two)

    def __call__(self, x, state, *, key=None):
        x, state = self.norm(self.conv(x), state)
        return self.head(self.drop(jax.nn.relu(x).reshape(-1), key=key)), state


def test_equinox_with_a_state():
    model, state = eqx.nn.make_with_state(Vision)(jax.random.key(0))
    x = RANDOM.normal(size=(40, 1, 8, 8)).astype("float32")
    found = vitals(model, x, np.arange(40) % 3, loss="cross_entropy", state=state)
    kinds = [(layer.kind, layer.name, layer.units, layer.places) for layer in found.layers]
    assert kinds[0] == ("weights", "conv", 8, 40 * 36)
    assert ("norm", "norm") in [one[:2] for one in kinds]
    conv = jax.vmap(model.conv)(x)
    assert found.layers[0].output.sd == pytest.approx(float(conv.std()), rel=1e-4)
    norm = next(layer for layer in found.layers if layer.kind == "norm")
    assert norm.output.scale == pytest.approx(1, abs=0.02)  # with statistics of the batch
    head = found.weighted[-1]
    shown = (conv - conv.mean((0, 2, 3), keepdims=True)) / conv.std((0, 2, 3), keepdims=True)
    logits = jax.vmap(model.head)(jax.nn.relu(shown).reshape(40, -1))
    assert head.output.sd == pytest.approx(float(logits.std()), rel=1e-2)


def test_functions_have_the_names_of_parameters():
    def model(params, x):
        return jax.nn.sigmoid(x @ params["one"]["w"]) @ params["two"]["w"]

    params = {"one": {"w": np.ones((12, 5))}, "two": {"w": np.ones((5, 2))}, "unused": np.ones((2, 2))}
    found = vitals(model, params=params)
    layers = [(one.name, one.type, one.kind, one.function) for one in found.layers]
    assert layers == [
        ("one", "linear", "weights", ""),
        ("one", "elementwise", "activation", "sigmoid"),
        ("two", "linear", "weights", ""),
    ]
    assert found.layers[0].where.file == __file__
    assert {one.name: one.gradient is None for one in found.parameters} == {
        "one.w": False, "two.w": False, "unused": True,
    }  # fmt: skip
    assert found.dtype == "float32"


def test_inputs_by_name_and_as_a_whole():
    def named(params, x, y):
        return x @ params["w"] + y

    def whole(params, batch):
        return batch["x"] @ params["w"] + batch["y"]

    params, batch = {"w": np.ones((12, 3))}, {"x": X, "y": np.zeros((64, 3))}
    for model, names in ((named, {"x", "y"}), (whole, {"batch.x", "batch.y"})):
        assert {one.name for one in vitals(model, batch, params=params).inputs} == names


def test_described_inputs():
    found = fanin.diagnose(nn.Dense(3), inputs=(8, 5), loss="mse").vitals
    assert found.inputs[0].described
    assert found.examples == 8
    words = fanin.diagnose(Gpt(nnx.Rngs(0)), inputs="4x16:tokens", loss="cross_entropy").vitals
    assert words.inputs[0].values.largest < 200


def test_nothing_is_changed():
    model = nnx.Sequential(
        nnx.Linear(12, 8, rngs=nnx.Rngs(0)),
        nnx.BatchNorm(8, rngs=nnx.Rngs(1)),
        nnx.Dropout(0.5, rngs=nnx.Rngs(2)),
    )
    x, numpy = X.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    before = jax.tree.map(np.array, nnx.state(model, nnx.Not(nnx.RngState)))
    key = np.array(jax.random.key_data(model.layers[2].rngs.key.get_value()))
    one, other = (vitals(model, x, loss="mse") for _ in range(2))
    assert one == other
    after = jax.tree.map(np.array, nnx.state(model, nnx.Not(nnx.RngState)))
    assert jax.tree.all(jax.tree.map(np.array_equal, before, after))
    assert np.array_equal(key, jax.random.key_data(model.layers[2].rngs.key.get_value()))
    assert np.array_equal(x, X)
    assert np.array_equal(numpy, np.random.get_state()[1])  # noqa: NPY002


def test_half_precision():
    params = {"w": jnp.ones((12, 3), jnp.bfloat16)}
    found = vitals(lambda p, x: jax.nn.relu(x.astype(jnp.bfloat16) @ p["w"]), params=params)
    assert found.dtype == "bfloat16"
    assert found.layers[0].output.scale == pytest.approx(np.sqrt(np.mean(X.sum(1) ** 2)), rel=1e-2)
    assert found.output.ends_in == "relu"


def abstract():
    """Return models whose parameters are only described, with what makes them."""
    described = {"w": jax.ShapeDtypeStruct((12, 4), "float32"), "b": jnp.ones(4)}
    key = jax.random.key(0)
    return {
        "function": (
            lambda p, x: x @ p["w"] + p["b"],
            {"params": described},
            lambda key: {"w": jax.random.normal(key, (12, 4)), "b": jnp.ones(4)},
            ["w"],
        ),
        "linen": (
            nn.Dense(4),
            {"params": jax.eval_shape(nn.Dense(4).init, key, X)},
            None,
            ["bias", "kernel"],
        ),
        "nnx": (
            nnx.eval_shape(lambda: dropped(key)),
            {},
            dropped,
            ["layers.0.bias", "layers.0.kernel"],
        ),
        "equinox": (
            eqx.filter_eval_shape(lambda key: eqx.nn.Linear(12, 4, key=key), key),
            {},
            lambda key: eqx.nn.Linear(12, 4, key=key),
            ["weight", "bias"],
        ),
    }


def dropped(key):
    rngs = nnx.Rngs(key)
    return nnx.Sequential(nnx.Linear(12, 4, rngs=rngs), nnx.Dropout(0.5, rngs=rngs))


@pytest.mark.parametrize("name", ["function", "linen", "nnx", "equinox"])
def test_without_arrays(name):
    model, options, start, unmade = abstract()[name]
    found = fanin.diagnose(model, X, Y, loss="cross_entropy", **options)
    assert [(one.code, one.evidence["parameters"]) for one in found.findings] == [("SET101", unmade)]
    assert not found.vitals.layers
    assert "start=" in found.findings[0].fix.text
    assert "have no values" in str(found) or "has no values" in str(found)
    if not options:
        with pytest.raises(FaninError, match="only described"):
            fanin.diagnose(lambda width: model, X, Y, loss="cross_entropy", widths=(1, 2))
    if start is not None:
        made = fanin.diagnose(model, X, Y, loss="cross_entropy", start=start, **options)
        assert made.vitals.layers[0].output.scale > 0.1


def told(found):
    return {one.name: (one.kind, one.reference) for one in found.parameters}


def test_what_parameters_do():
    """A function's program tells it, and so does a module that has to be told whether it is trained."""

    class Model(nn.Module):
        @nn.compact
        def __call__(self, x, train: bool):
            return nn.Dense(4)(nn.Dropout(0.5, deterministic=not train)(nn.Embed(9, 16)(x)))

    words = np.arange(24).reshape(8, 3) % 9
    assert told(vitals(Model(), words)) == {
        "Dense_0.bias": ("bias", None),
        "Dense_0.kernel": ("kernel", 0.25),
        "Embed_0.embedding": ("embedding", None),
    }
    params = {"table": jnp.ones((9, 16)), "w": jnp.ones((4, 16)), "b": jnp.ones(4), "power": jnp.ones(4)}

    def model(p, x):
        return (p["table"][x] @ p["w"].T + p["b"]) ** p["power"]

    assert told(vitals(model, words, params=params)) == {
        "table": ("embedding", None),
        "w": ("kernel", 0.25),
        "b": ("bias", None),
        "power": ("unknown", None),
    }


def test_unknown_options():
    with pytest.raises(FaninError, match="There is no option parms"):
        vitals(lambda p, x: x @ p["w"], parms={"w": np.ones((12, 3))})


def test_networks_born_dead():
    def make():
        model = nnx.Sequential(nnx.Linear(12, 1, rngs=nnx.Rngs(int(np.random.randint(1000)))), nnx.relu)  # noqa: NPY002
        model.layers[0].kernel.set_value(jnp.zeros((12, 1)))
        sign = np.random.default_rng(np.random.randint(1000)).choice([-1.0, 1.0])  # noqa: NPY002
        model.layers[0].bias.set_value(jnp.full((1,), sign))
        return model

    found = fanin.diagnose(make, X, np.full((64, 1), 3.0), loss="mse", seeds=6).vitals
    assert 0 < found.born_dead < 1
