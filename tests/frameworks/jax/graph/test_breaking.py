"""Models that depend on values: what comes before such a place is kept, what comes after is unknown."""

import equinox as eqx
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import linen, nnx

import fanin
from fanin import FaninError

X = np.random.default_rng(0).normal(size=(8, 16)).astype("float32")


def branch(x):
    return x * 2 if x.sum() > 0 else x


def loop(x):
    while abs(x).max() > 1:
        x = x / 2
    return x


def counted(x):
    for _ in range((x.sum() * 0 + 2).astype(int)):
        x = x * 1.1
    return x


def selecting(x):
    return x + x[x > 0].sum()


def in_numpy(x):
    return x + float(np.asarray(x).sum() > 0)


def item(x):
    return x * (1 + 0 * x.sum().item())


BETWEEN = {
    branch: "jax.lax.cond, jnp.where",
    loop: "jax.lax.cond, jnp.where",
    counted: "jax.lax.cond, jnp.where",
    selecting: "a mask, in the place of what selects",
    in_numpy: "jax.numpy in the place of NumPy",
    item: "jax.lax.cond, jnp.where",
}


class LinenOdd(linen.Module):
    between: object

    @linen.compact
    def __call__(self, x):
        x = linen.Dense(12, name="first")(x)
        return linen.Dense(12, name="second")(self.between(x))


class LinenNet(linen.Module):
    between: object

    @linen.compact
    def __call__(self, x):
        x = linen.relu(linen.Dense(12, name="stem")(x))
        for number in range(2):
            x = LinenOdd(self.between, name=f"odd{number}")(x)
        return linen.Dense(3, name="out")(x)


class Odd(nnx.Module):
    def __init__(self, between, rngs):
        self.first, self.second = nnx.Linear(12, 12, rngs=rngs), nnx.Linear(12, 12, rngs=rngs)
        self.between = between

    def __call__(self, x):
        return self.second(self.between(self.first(x)))


class Net(nnx.Module):
    def __init__(self, between):
        rngs = nnx.Rngs(0)
        self.stem, self.out = nnx.Linear(16, 12, rngs=rngs), nnx.Linear(12, 3, rngs=rngs)
        self.odd0, self.odd1 = Odd(between, rngs), Odd(between, rngs)

    def __call__(self, x):
        return self.out(self.odd1(self.odd0(nnx.relu(self.stem(x)))))


class EquinoxOdd(eqx.Module):
    first: eqx.nn.Linear
    second: eqx.nn.Linear
    between: object

    def __call__(self, x):
        return jax.vmap(self.second)(self.between(jax.vmap(self.first)(x)))


class EquinoxNet(eqx.Module):
    stem: eqx.nn.Linear
    odd0: EquinoxOdd
    odd1: EquinoxOdd
    out: eqx.nn.Linear

    def __init__(self, between):
        keys = iter(jax.random.split(jax.random.key(0), 6))
        sizes = ((16, 12), (12, 12), (12, 12), (12, 12), (12, 12), (12, 3))
        one = [eqx.nn.Linear(*size, key=next(keys)) for size in sizes]
        self.stem, self.out = one[0], one[5]
        self.odd0, self.odd1 = EquinoxOdd(one[1], one[2], between), EquinoxOdd(one[3], one[4], between)

    def __call__(self, x):
        return jax.vmap(self.out)(self.odd1(self.odd0(jax.nn.relu(jax.vmap(self.stem)(x)))))


MAKES = {"linen": LinenNet, "nnx": Net, "equinox": EquinoxNet}
BEFORE = ["stem", "odd0.first"]
AFTER = ["odd0.second", "odd0", "odd1.first", "odd1.second", "odd1", "out"]


def options(name):
    return {"vmap": False} if name == "equinox" else {}


def known(graph):
    """Return the layers that depend on nothing unknown."""
    unknown = set()
    for node in graph:
        if node.op == "opaque" or any(name in unknown for name in node.inputs):
            unknown.add(node.name)
    return [path for path, name in graph.layers.items() if name not in unknown]


def line(function, offset=1):
    return f"{__file__}:{function.__code__.co_firstlineno + offset}"


@pytest.mark.parametrize("between", BETWEEN, ids=lambda function: function.__name__)
@pytest.mark.parametrize("name", MAKES)
def test_what_comes_before_a_break_is_kept(name, between):
    graph = fanin.trace(MAKES[name](between), inputs=X, **options(name))
    assert known(graph) == BEFORE
    assert list(graph.layers) == BEFORE + AFTER
    for path, end in graph.layers.items():
        assert graph[end].shape == ((8, 3) if path == "out" else (8, 12))
    assert [graph[one].shape for one in graph.outputs] == [(8, 3)]
    second = graph[graph.layers["odd0.second"]]
    assert second["reason"].startswith(f"it comes after {__file__}:")
    assert (second.source.layer, second.source.file) == ("odd0.second", __file__)
    note = graph.notes[-1]
    assert "cannot be traced as a whole" in note
    assert BETWEEN[between] in note


@pytest.mark.parametrize("name", MAKES)
def test_what_is_known_is_what_it_is_without_the_break(name):
    broken, whole = (
        fanin.propagate(MAKES[name](between), "he_normal", inputs=(8, 16), **options(name))
        for between in (branch, lambda x: x)
    )
    for path in BEFORE:
        assert broken[path].forward.q == whole[path].forward.q
        assert broken[path].backward is None
    assert all(broken[path].forward is None for path in AFTER)
    assert f"({line(branch)})" in broken.notes[-1]
    assert f"it comes after {line(branch)}" in str(broken).replace("\n", " ")


def test_abstract_modules():
    graph = fanin.trace(nnx.eval_shape(lambda: Net(branch)), "he_normal", inputs=(8, 16))
    assert known(graph) == BEFORE
    assert set(graph.layers) == {*BEFORE, *AFTER}


def function(params, x):
    x = jax.nn.relu(x @ params["stem"]["w"])
    return branch(x) @ params["out"]["w"]


PARAMS = {"stem": {"w": jnp.ones((16, 12))}, "out": {"w": jnp.ones((12, 3))}}


def test_functions():
    graph = fanin.trace(function, inputs=(8, 16), params=PARAMS)
    assert known(graph) == list(graph.layers) == ["stem"]
    assert [graph[name].shape for name in graph.outputs] == [(8, 3)]
    described = jax.tree.map(lambda one: jax.ShapeDtypeStruct(one.shape, one.dtype), PARAMS)
    assert known(fanin.trace(function, inputs=(8, 16), params=described)) == ["stem"]


class Single(eqx.Module):
    one: eqx.nn.Linear
    other: eqx.nn.Linear

    def __call__(self, x):
        return self.other(branch(self.one(x)))


def test_models_of_single_examples():
    """Nothing has a value under vmap, so that one example is run by itself."""
    net = EquinoxNet(branch)
    graph = fanin.trace(Single(net.stem, net.out), inputs=X)
    assert list(graph.layers) == ["one", "other"]
    assert known(graph) == ["one"]
    assert graph[graph.layers["other"]].shape == (8, 3)
    assert [graph[name].shape for name in graph.outputs] == [(8, 3)]
    assert line(branch) in graph.notes[-1]


def test_what_cannot_be_run():
    """Nothing has a value in a function that is compiled: the last signal stands for the outputs."""

    def model(params, x):
        x = x @ params["stem"]["w"]
        return jax.jit(branch)(x) @ params["out"]["w"]

    graph = fanin.trace(model, inputs=(8, 16), params=PARAMS)
    assert known(graph) == list(graph.layers) == ["stem"]
    assert [graph[name].shape for name in graph.outputs] == [(8, 12)]


def test_calls_after_a_break_are_numbered():
    class Again(nnx.Module):
        def __init__(self):
            self.layer = nnx.Linear(16, 16, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.layer(self.layer(branch(self.layer(x))))

    graph = fanin.trace(Again(), inputs=X)
    assert list(graph.layers) == ["layer", "layer#2", "layer#3"]
    assert known(graph) == ["layer"]


class Step(linen.Module):
    @linen.compact
    def __call__(self, x, _):
        return linen.Dense(16, name="dense")(x), None


class Loops(linen.Module):
    @linen.compact
    def __call__(self, x):
        for number in range(2):
            steps = linen.scan(Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
            x, _ = steps(name=f"loop{number}")(x if number == 0 else branch(x), None)
        return x


def test_loops_after_a_break_have_one_row():
    graph = fanin.trace(Loops(), inputs=X)
    steps = [f"loop0{one}{step}" for step in ("", "#2", "#3") for one in (".dense", "")]
    assert known(graph) == steps
    assert list(graph.layers) == [*steps, "loop1.dense", "loop1"]


def test_where_nothing_comes_before_the_error_stays():
    def first(params, x):
        return branch(x) @ params["w"]

    with pytest.raises(FaninError, match="TracerBoolConversionError") as error:
        fanin.trace(first, inputs=(8, 16), params={"w": jnp.ones((16, 3))})
    assert line(branch) in error.value.what
    assert "jax.lax.cond" in error.value.fix


def test_other_errors_stay():
    def refusing(params, x):
        x = x @ params["w"]
        try:
            return branch(x)
        except TypeError:
            raise ValueError("no such thing")  # noqa: B904

    with pytest.raises(FaninError, match="no such thing"):
        fanin.trace(refusing, inputs=(8, 16), params={"w": jnp.ones((16, 3))})

    def wrong(params, x):
        return (x @ params["w"]) @ params["w"]

    with pytest.raises(FaninError, match="dot_general"):
        fanin.trace(wrong, inputs=(8, 16), params={"w": jnp.ones((16, 3))})


class KerasOdd(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.first, self.second = keras.layers.Dense(12, name="first"), keras.layers.Dense(12, name="second")

    def build(self, shape):
        self.first.build(shape)
        self.second.build((None, 12))

    def compute_output_spec(self, x, **options):
        return keras.KerasTensor((*x.shape[:-1], 12))

    def call(self, x):
        return self.second(branch(self.first(x)))


def test_keras():
    parts = [
        keras.layers.Dense(12, "relu", name="stem"),
        KerasOdd(name="odd"),
        keras.layers.Dense(3, name="out"),
    ]
    model = keras.Sequential([keras.Input((16,)), *parts], name="net")
    graph = fanin.trace(model, inputs=(8, 16))
    assert known(graph) == ["net/stem", "net/odd/first"]
    assert list(graph.layers) == ["net/stem", "net/odd/first", "net/odd/second", "net/odd", "net/out"]
    assert f"({line(branch)})" in graph.notes[-1]
