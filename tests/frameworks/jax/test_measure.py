"""Measured signals of JAX models are those of derivatives taken by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import fanin
from fanin import FaninError

DATA = np.random.default_rng(1).normal(size=(6, 8)).astype("float32")
START = jnp.asarray(np.random.default_rng((0, 0)).standard_normal((6, 3)), "float32")


def square(array):
    return float(np.mean(np.square(np.asarray(array, float))))


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x):
        dense = linen.Dense(8, name="same")
        return linen.Dense(3, name="out")(dense(jnp.tanh(dense(x))))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(8, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.out = nnx.Linear(16, 3, rngs=rngs)

    def __call__(self, x):
        return self.out(jax.nn.gelu(self.norm(self.first(x))))


class Eqx(eqx.Module):
    first: eqx.nn.Linear
    out: eqx.nn.Linear

    def __call__(self, x):
        return self.out(jax.nn.relu(self.first(x)))


def function(params, x):
    for layer in params["hidden"]:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    return x @ params["out"]["w"]


def params(key=0):
    keys = jax.random.split(jax.random.key(key), 3)
    hidden = [{"w": jax.random.normal(k, (8, 8)) / 2, "b": jnp.zeros(8)} for k in keys[:2]]
    return {"hidden": hidden, "out": {"w": jax.random.normal(keys[2], (8, 3))}}


def test_a_function_by_hand():
    made = params()
    profile = fanin.measure(function, inputs=DATA, params=made)

    def tail(h, first):
        second = jax.nn.relu(h) @ made["hidden"][1]["w"] + first
        return jax.nn.relu(second) @ made["out"]["w"]

    h = DATA @ made["hidden"][0]["w"]
    outputs, back = jax.vjp(tail, h, jnp.zeros((6, 8)))
    gradient, _ = back(START)
    assert list(profile) == ["hidden.0", "hidden.1", "out"]
    assert profile["hidden.0"].forward.q.value == pytest.approx(square(h), rel=1e-5)
    assert profile["hidden.0"].backward.q.value == pytest.approx(square(gradient), rel=1e-5)
    assert profile["out"].forward.q.value == pytest.approx(square(outputs), rel=1e-5)
    of_params = jax.vjp(lambda p: function(p, DATA), made)[1](START)[0]
    found = {p.name: p.gradient.value for p in profile.parameters}
    assert found["out.w"] == pytest.approx(square(of_params["out"]["w"]), rel=1e-5)
    assert found["hidden.0.b"] == pytest.approx(square(of_params["hidden"][0]["b"]), rel=1e-5)


def test_a_linen_module_by_hand_with_a_layer_that_is_called_twice():
    variables = Linen().init(jax.random.key(4), DATA)
    profile = fanin.measure(Linen(), inputs=DATA, params=variables)
    _, state = Linen().apply(variables, DATA, capture_intermediates=True, mutable="intermediates")
    seen = state["intermediates"]
    assert list(profile) == ["same", "same#2", "out"]
    for name, output in zip(profile, [*seen["same"]["__call__"], *seen["out"]["__call__"]], strict=True):
        assert profile[name].forward.q.value == pytest.approx(square(output), rel=1e-5)
    kernel = variables["params"]["out"]["kernel"]
    assert profile["same#2"].backward.q.value == pytest.approx(square(START @ kernel.T), rel=1e-5)
    assert profile["same"].type == "Dense"


def test_a_function_that_makes_a_linen_module():
    made, given = (fanin.measure(model, inputs=(64, 8), seeds=3) for model in (Linen, Linen()))
    assert made.layers == given.layers
    assert made.parameters == given.parameters


def test_a_linen_module_makes_its_own_networks():
    profile = fanin.measure(Linen(), inputs=(64, 8), seeds=3)
    assert profile["out"].forward.q.chance > 0
    drawn = fanin.measure(Linen(), inputs=(64, 8), scheme="he_normal", seeds=3)
    assert drawn["same"].forward.q.value == pytest.approx(2, rel=0.5)
    assert drawn.notes == ("3 networks of he_normal, 1 batch each",)


def test_an_nnx_module_stays_as_it_is():
    model = Nnx(nnx.Rngs(0))
    before = jax.tree.map(jnp.copy, nnx.state(model))
    profile = fanin.measure(model, inputs=DATA, train=True, scheme="lecun_normal", seeds=2)
    assert list(profile) == ["first", "norm", "out"]
    assert profile["norm"].forward.q.value == pytest.approx(1, abs=0.01)  # statistics of the batch
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), before, nnx.state(model))))
    assert {p.name for p in profile.parameters} >= {"norm.scale", "first.kernel"}
    assert fanin.measure(model, inputs=DATA)["norm"].forward.q.value != pytest.approx(1, abs=0.01)


def test_an_equinox_module_by_hand():
    one, two = jax.random.split(jax.random.key(0))
    model = Eqx(eqx.nn.Linear(8, 16, key=one), eqx.nn.Linear(16, 3, key=two))
    profile = fanin.measure(model, inputs=DATA)
    h = jax.vmap(model.first)(DATA)
    gradient = (START @ model.out.weight) * (h > 0)
    assert profile["first"].forward.q.value == pytest.approx(square(h), rel=1e-5)
    assert profile["first"].backward.q.value == pytest.approx(square(gradient), rel=1e-5)


def test_programs_inside_programs_are_followed():
    @jax.jit
    def inner(params, x):
        return jax.checkpoint(function)(params, x)

    one, other = (fanin.measure(f, inputs=DATA, params=params()) for f in (function, inner))
    for name in one:
        assert one[name].backward.q.value == pytest.approx(other[name].backward.q.value, rel=1e-5)


def test_parameters_that_are_only_described_need_a_scheme_or_a_start():
    described = jax.eval_shape(params)
    with pytest.raises(FaninError, match="only described"):
        fanin.measure(function, inputs=DATA, params=described)
    by_start = fanin.measure(function, inputs=DATA, start=lambda key: params(3), seeds=2)
    assert by_start["out"].forward.q.value > 0
    with pytest.raises(FaninError, match="draws no parameter of <lambda>"):
        fanin.measure(lambda p, x: x * p["w"], inputs=DATA, params={"w": np.ones(1)}, scheme="he_normal")
    policy = fanin.Policy({"*.w": "normal(stddev=0.5)"})
    by_scheme = fanin.measure(function, inputs=DATA, params=params(), scheme=policy, seeds=2)
    assert by_scheme["out"].forward.q.chance > 0


@pytest.mark.parametrize("options", [{"params": params()}, {"start": lambda key: params(3)}])
def test_schemes_for_functions(options):
    """What a function's parameters are is told by its program."""
    size = {"inputs": (64, 8), **options}
    predicted = fanin.propagate(function, "he_normal", **size)
    found = fanin.measure(function, scheme="he_normal", seeds=20, **size)
    assert predicted["out"].forward.q.value == pytest.approx(found["out"].forward.q.value, rel=0.5)
    assert found["out"].forward.q.chance > 0


def test_ids_are_asked_for_where_floats_are_given():
    model = nnx.Embed(10, 4, rngs=nnx.Rngs(0))
    for verb in (fanin.propagate, fanin.measure):
        with pytest.raises(FaninError) as caught:
            verb(model, inputs=(6, 8))
        assert "cannot be traced with these inputs" in str(caught.value)
    assert '"6x8:tokens"' in str(caught.value)


def test_small_gradients_are_not_lost():
    made = jax.tree.map(lambda leaf: leaf * 1e-12, params())
    profile = fanin.measure(function, inputs=DATA, params=made)
    assert 0 < profile["hidden.0"].backward.q.value < 1e-40


def test_named_layers_are_those_that_are_predicted():
    for model, options in ((Linen(), {}), (Nnx(nnx.Rngs(0)), {}), (function, {"params": params()})):
        predicted = fanin.propagate(model, inputs=(6, 8), **options)
        assert list(predicted) == list(fanin.measure(model, inputs=(6, 8), **options))


def stack(params, x):
    """A loop over a stack of layers, and one over time."""
    x, _ = jax.lax.scan(lambda h, w: (jnp.tanh(h @ w), None), x, params["stack"])

    def step(h, t):
        h = jnp.tanh(h @ params["cell"]["w"] + t)
        return h, h @ params["out"]

    return jax.lax.scan(step, jnp.zeros((6, 8)), jnp.stack([x, x * 2, -x, x]))[1]


def test_layers_inside_of_loops_by_hand():
    keys = jax.random.split(jax.random.key(3), 3)
    made = {
        "stack": jax.random.normal(keys[0], (3, 8, 8)) / 2,
        "cell": {"w": jax.random.normal(keys[1], (8, 8)) / 3},
        "out": jax.random.normal(keys[2], (8, 3)),
    }
    profile = fanin.measure(stack, inputs=DATA, params=made)

    def unrolled(zeros):
        seen, x = [], jnp.asarray(DATA)
        for w in made["stack"]:
            seen.append(x @ w + zeros[len(seen)])
            x = jnp.tanh(seen[-1])
        h, outputs = jnp.zeros((6, 8)), []
        for t in (x, x * 2, -x, x):
            seen.append(h @ made["cell"]["w"] + zeros[len(seen)])
            h = jnp.tanh(seen[-1] + t)
            outputs.append(h @ made["out"])
        return jnp.stack(outputs), seen

    zeros = [jnp.zeros((6, 8))] * 7
    outputs, pullback, seen = jax.vjp(unrolled, zeros, has_aux=True)
    start = np.random.default_rng((0, 0)).standard_normal((4, 6, 3))
    (gradients,) = pullback(jnp.asarray(start, "float32"))
    assert list(profile) == ["stack", "stack#2", "stack#3", "cell", "out"]
    assert profile["cell"].shape == (4, 6, 8)
    for name, steps in {"stack": [0], "stack#2": [1], "stack#3": [2], "cell": [3, 4, 5, 6]}.items():
        for found, parts in ((profile[name].forward.q, seen), (profile[name].backward.q, gradients)):
            assert found.value == pytest.approx(square([parts[step] for step in steps]), rel=1e-5)
    assert profile["out"].forward.q.value == pytest.approx(square(outputs), rel=1e-5)


def test_a_loop_from_the_end_numbers_its_layers_as_they_run():
    def net(params, x):
        return jax.lax.scan(lambda h, w: (h @ w, None), x, params["w"], reverse=True)[0]

    made = {"w": jnp.stack([jnp.eye(8) * 3, jnp.eye(8) * 2])}
    profile = fanin.measure(net, inputs=DATA, params=made)
    assert profile["w"].forward.q.value == pytest.approx(4 * square(DATA), rel=1e-5)
    assert profile["w#2"].forward.q.value == pytest.approx(36 * square(DATA), rel=1e-5)
    assert list(fanin.propagate(net, inputs=DATA, params=made)) == list(profile)


class Cell(linen.Module):
    @linen.compact
    def __call__(self, h, x):
        h = jnp.tanh(linen.Dense(8, name="recurrent")(h) + x)
        return h, linen.Dense(3, name="out")(h)


class Unfolded(linen.Module):
    @linen.compact
    def __call__(self, x):
        cell = linen.scan(Cell, variable_broadcast="params", split_rngs={"params": False}, in_axes=1)
        return cell(name="cell")(jnp.zeros((6, 8)), jnp.stack([x, -x, x], 1))[1]


def test_gradients_of_what_a_module_returns_and_uses_itself():
    variables = Unfolded().init(jax.random.key(4), DATA)
    profile = fanin.measure(Unfolded(), inputs=DATA, params=variables)
    w, out = (variables["params"]["cell"][name]["kernel"] for name in ("recurrent", "out"))

    def unrolled(zeros):
        h, outputs = jnp.zeros((6, 8)), []
        for place, t in enumerate((DATA, -DATA, DATA)):
            h = jnp.tanh(h @ w + t) + zeros[place]
            outputs.append(h @ out)
        return jnp.stack(outputs)

    _, pullback = jax.vjp(unrolled, [jnp.zeros((6, 8))] * 3)
    start = np.random.default_rng((0, 0)).standard_normal((3, 6, 3))
    (gradients,) = pullback(jnp.asarray(start, "float32"))
    assert list(profile) == ["cell.recurrent", "cell.out", "cell"]
    assert profile["cell"].backward.q.value == pytest.approx(square(gradients), rel=1e-5)
