"""Signals of JAX functions, predicted and measured."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

import fanin
from fanin import Inputs

CLASSES = 32
RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(0, CLASSES, 64).astype("int32")
TARGETS = {
    "labels": LABELS,
    "one-hot": np.eye(CLASSES, dtype="float32")[LABELS],
    "binary": RANDOM.integers(0, 2, (64, CLASSES)).astype("float32"),
    "numbers": RANDOM.normal(0.5, 0.7, (64, CLASSES)).astype("float32"),
}


def start(key):
    first, last = jax.random.split(key)
    return {
        "first": jax.random.normal(first, (128, 256)) / 128**0.5,
        "last": jax.random.normal(last, (256, CLASSES)) / 8,
    }


def logits(params, x):
    return jnp.tanh(x @ params["first"]) @ params["last"]


def stable(z, y):
    return jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))


def smoothed(z, y):
    return optax.softmax_cross_entropy(z, optax.smooth_labels(jax.nn.one_hot(y, CLASSES), 0.2))


LOSSES = {
    "sigmoid_binary_cross_entropy": (optax.sigmoid_binary_cross_entropy, "binary"),
    "by hand": (stable, "binary"),
    "of integer labels": (optax.softmax_cross_entropy_with_integer_labels, "labels"),
    "of one-hot ones": (optax.softmax_cross_entropy, "one-hot"),
    "smoothed": (smoothed, "labels"),
    "l2_loss": (optax.l2_loss, "numbers"),
}


@pytest.mark.parametrize("total", [jnp.mean, jnp.sum, lambda each: each.reshape(64, -1).sum(-1).mean()])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_a_loss_are_those_that_are_measured(name, total):
    each, targets = LOSSES[name]

    def loss(params, x, y):
        return total(each(logits(params, x), y))

    inputs = (Inputs((64, 128)), TARGETS[targets])
    predicted = fanin.propagate(loss, inputs=inputs, start=start)
    measured = fanin.measure(loss, inputs=inputs, start=start, seeds=24)
    assert list(predicted) == list(measured) == ["first", "last"]
    for layer, truth in zip(predicted.layers, measured.layers, strict=True):
        assert layer.backward.q.value == pytest.approx(truth.backward.q.value, rel=0.04)
        assert not layer.unknown
    for parameter, truth in zip(predicted.parameters, measured.parameters, strict=True):
        assert parameter.gradient.value == pytest.approx(truth.gradient.value, rel=0.07)


def test_the_options_loss_and_the_functions_own_are_the_same():
    def loss(params, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), y).mean()

    own = fanin.propagate(loss, inputs=(Inputs((64, 128)), LABELS), start=start)
    option = fanin.propagate(logits, inputs=(64, 128), start=start, loss="cross_entropy")
    for name in own:
        assert own[name].backward.q.value == pytest.approx(option[name].backward.q.value, rel=1e-3)


def deep(params, x):
    def step(h, layer):
        return jnp.tanh(h @ layer["w"] + layer["b"]), None

    return jax.lax.scan(step, x, params["stack"])[0] @ params["out"]


def deep_start(key):
    one, two = jax.random.split(key)
    stack = {"w": jax.random.normal(one, (3, 128, 128)) / 128**0.5, "b": jnp.zeros((3, 128))}
    return {"stack": stack, "out": jax.random.normal(two, (128, 64)) / 128**0.5}


def recurrent(params, xs):
    def step(h, x):
        h = jnp.tanh(h @ params["hidden"] + x @ params["input"])
        return h, h @ params["out"]

    return jax.lax.scan(step, jnp.zeros((8, 128)), xs)[1]


def recurrent_start(key):
    shapes = {"hidden": (128, 128), "input": (32, 128), "out": (128, 64)}
    keys = dict(zip(shapes, jax.random.split(key, 3), strict=True))
    return {n: 0.7 * jax.random.normal(keys[n], s) / s[0] ** 0.5 for n, s in shapes.items()}


class Block(linen.Module):
    @linen.compact
    def __call__(self, x, _):
        return jnp.tanh(linen.Dense(128, name="dense")(x)), None


class Stack(linen.Module):
    @linen.compact
    def __call__(self, x):
        split = {"params": True}
        blocks = linen.scan(Block, variable_axes={"params": 0}, split_rngs=split, length=3)
        return linen.Dense(64, name="out")(blocks(name="blocks")(x, None)[0])


class Memory(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(64, name="out")(linen.RNN(linen.GRUCell(128), name="rnn")(x))


LOOPS = {
    "a stack of a function": (deep, (8, 128), {"start": deep_start}),
    "time of a function": (recurrent, (6, 8, 32), {"start": recurrent_start}),
    "a stack of modules": (Stack(), (8, 128), {}),
    "time of a module": (Memory(), (8, 6, 64), {}),
}


@pytest.mark.parametrize("name", LOOPS)
def test_layers_inside_of_loops_are_those_that_are_measured(name):
    model, shape, options = LOOPS[name]
    predicted = fanin.propagate(model, inputs=shape, **options)
    measured = fanin.measure(model, inputs=shape, seeds=24, **options)
    assert list(predicted) == list(measured)
    assert len(predicted) >= 3
    for layer, truth in zip(predicted.layers, measured.layers, strict=True):
        assert (layer.shape, layer.unknown) == (truth.shape, "")
        assert layer.forward.q.value == pytest.approx(truth.forward.q.value, rel=0.06)
        assert layer.backward.q.value == pytest.approx(truth.backward.q.value, rel=0.12)


class Cells(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.RNN(nnx.SimpleCell(16, 16, rngs=rngs), rngs=rngs)
        self.second = nnx.RNN(nnx.GRUCell(16, 16, rngs=rngs), rngs=rngs)

    def __call__(self, x):
        return self.second(self.first(x))


class Layer(eqx.Module):
    linear: eqx.nn.Linear

    def __call__(self, x):
        return jax.nn.tanh(self.linear(x))


class Layers(eqx.Module):
    layers: Layer
    out: eqx.nn.Linear

    def __init__(self, key):
        one, two = jax.random.split(key)
        made = eqx.filter_vmap(lambda key: Layer(eqx.nn.Linear(16, 16, key=key)))
        self.layers, self.out = made(jax.random.split(one, 2)), eqx.nn.Linear(16, 16, key=two)

    def __call__(self, x):
        arrays, rest = eqx.partition(self.layers, eqx.is_array)
        x, _ = jax.lax.scan(lambda x, now: (eqx.combine(now, rest)(x), None), x, arrays)
        return self.out(x)


@pytest.mark.parametrize(
    ("model", "shape", "names"),
    [
        (
            Cells(nnx.Rngs(0)),
            (8, 5, 16),
            [
                *("first.cell.dense_i", "first.cell.dense_h", "first.cell", "first"),
                *("second.cell.dense_i", "second.cell.dense_h", "second.cell", "second"),
            ],
        ),
        (
            Layers(jax.random.key(0)),
            (8, 16),
            ["layers.linear", "layers", "layers.linear#2", "layers#2", "out"],
        ),
    ],
)
def test_modules_that_loops_make_anew_have_their_names(model, shape, names):
    predicted, measured = (verb(model, inputs=shape) for verb in (fanin.propagate, fanin.measure))
    assert list(predicted) == list(measured) == names
    assert [layer.type for layer in predicted.layers] == [layer.type for layer in measured.layers]
    assert all(layer.backward is not None for layer in predicted.layers)


class Loop(linen.Module):
    """A recurrence whose bias and scale are drawn, as those of some cells are."""

    @linen.compact
    def __call__(self, x):
        kernel, lecun = (128, 128), linen.initializers.lecun_normal()
        read, keep = (self.param(name, lecun, kernel) for name in ("read", "keep"))
        bias = self.param("bias", linen.initializers.normal(0.3), (128,))
        scale = self.param("scale", linen.initializers.normal(1.0), (128,))

        def step(h, now):
            h = jnp.tanh(now @ read + h @ keep + bias) * scale
            return h, h

        start = jnp.zeros((x.shape[0], 128))
        return linen.Dense(128)(jax.lax.scan(step, start, jnp.swapaxes(x, 0, 1))[1])


def test_biases_and_scales_inside_of_a_loop():
    predicted = fanin.propagate(Loop(), inputs=(4, 10, 128))
    measured = fanin.measure(Loop(), inputs=(4, 10, 128), seeds=120)
    truth = {one.name: one.gradient.value for one in measured.parameters}
    for one in predicted.parameters:
        assert one.gradient.value == pytest.approx(truth[one.name], rel=0.1), one.name
