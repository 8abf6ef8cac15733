"""Patterns in small graphs: what is recognized computes the same, and what is no pattern stays."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.frameworks.jax.graph import signal_graph
from fanin.graph.signal import Node, SignalGraph
from fanin.theory.catalogue import CATALOGUE
from fanin.theory.recognition import recognize
from fanin.theory.recognition.activations import _PLAIN, named_by_values
from fanin.theory.recognition.activations import _POINTS as POINTS
from interpreter import interpret


def values(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def both(function, *inputs, params=()):
    """Return the graph of a function and the recognized one, checked against each other."""
    graph = signal_graph(function, inputs, params=params)
    weights = {str(place): value for place, value in enumerate(params)}
    found = recognize(graph)
    for one, other in zip(
        interpret(graph, weights, *inputs), interpret(found, weights, *inputs), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-5)
    return graph, found


def ops(graph):
    return [node.op for node in graph if node.op not in ("input", "parameter", "constant")]


@given(st.permutations(range(4)), st.booleans(), st.booleans(), st.sampled_from([1, 2, 4]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_attention_in_any_order_of_axes(order, masked, scaled_first, key_heads, causal):
    sizes = {"b": 2, "h": 4, "t": 3, "d": 5}
    letters = "".join("bhtd"[axis] for axis in order)
    keys = letters.replace("t", "s")
    shape = tuple(sizes[letter] for letter in letters)
    key_shape = tuple(key_heads if letter == "h" else sizes[letter] for letter in letters)
    axis = letters.index("h")

    def attend(params, query, key, value):
        repeated = [jnp.repeat(x, 4 // key_heads, axis) for x in (key, value)]
        query = query * 0.3 if scaled_first else query
        scores = jnp.einsum(f"{letters},{keys}->bhts", query, repeated[0])
        scores = scores if scaled_first else scores / 2.5
        if masked:
            scores = scores + params[0]
        if causal:
            scores = jnp.where(jnp.tri(3, dtype=bool), scores, -jnp.inf)
        return jnp.einsum(f"bhts,{keys}->{letters}", jax.nn.softmax(scores), repeated[1])

    _, found = both(
        attend, values(*shape), values(*key_shape), values(*key_shape) * 2, params=(values(1, 4, 3, 3),)
    )
    (node,) = [node for node in found if node.op == "attention"]
    assert (node["heads"], node["key_heads"], node["causal"]) == (4, key_heads, causal)
    assert node["scale"] == pytest.approx(0.3 if scaled_first else 0.4)
    assert len(node.inputs) == (4 if masked else 3)
    assert not {"softmax", "matmul"} & set(ops(found))


def test_attention_with_capped_scores():
    """As Gemma 2 has it: a tanh keeps scores small, then they are masked."""

    def attend(params, q, k, v):
        scores = 5 * jnp.tanh(jnp.einsum("btd,bsd->bts", q, k) * 0.5 / 5)
        scores = jnp.where(jnp.tri(3, dtype=bool), scores, -jnp.inf)
        return jnp.einsum("bts,bsd->btd", jax.nn.softmax(scores), v)

    _, found = both(attend, *(values(2, 3, 4) for _ in range(3)))
    (node,) = [node for node in found if node.op == "attention"]
    assert (node["cap"], node["scale"], node["causal"]) == (5.0, 0.5, True)


def test_what_no_cap_is():
    """Of a tanh that is masked within, or of a tanh of a tanh, nobody knows."""

    def masked(params, q, k, v):
        scores = jnp.einsum("btd,bsd->bts", q, k) + params[0]
        return jnp.einsum("bts,bsd->btd", jax.nn.softmax(5 * jnp.tanh(scores)), v)

    def twice(params, q, k, v):
        scores = jnp.tanh(jnp.tanh(jnp.einsum("btd,bsd->bts", q, k)) + params[0])
        return jnp.einsum("bts,bsd->btd", jax.nn.softmax(scores), v)

    for attend in (masked, twice):
        _, found = both(attend, *(values(2, 3, 4) for _ in range(3)), params=(values(3, 3),))
        rest = [op for op in ops(found) if op not in ("elementwise", "reshape")]
        assert rest == ["matmul", "softmax", "matmul"]


def test_attention_with_a_temperature_for_each_head():
    """As Swin v2 has it: cosines, times a parameter, plus a bias."""

    def attend(params, q, k, v):
        scores = jnp.einsum("bhtd,bhsd->bhts", q, k) * jnp.exp(params[0]) + params[1]
        return jnp.einsum("bhts,bhsd->bhtd", jax.nn.softmax(scores), v)

    given = (values(4, 1, 1), values(1, 4, 3, 3))
    _, found = both(attend, *(values(2, 4, 3, 5) for _ in range(3)), params=given)
    (node,) = [node for node in found if node.op == "attention"]
    assert (node["scale"], node["heads"], len(node.inputs)) == (1.0, 4, 4)


@pytest.mark.parametrize("early", [True, False])
def test_masks_of_windows(early):
    """As Swin has it: examples and windows are one axis, but for the mask; or heads and examples are."""
    mask = values(3, 1, 4, 4)

    def attend(params, q, k, v):
        scores = jnp.einsum("bhtd,bhsd->bhts", q, k) + params[0]
        scores = scores.reshape(2, 3, 2, 4, 4) + mask
        if early:
            return jnp.einsum("bhts,bhsd->bhtd", jax.nn.softmax(scores.reshape(6, 2, 4, 4)), v)
        return jnp.einsum("bhts,bhsd->bhtd", jax.nn.softmax(scores).reshape(6, 2, 4, 4), v)

    _, found = both(attend, *(values(6, 2, 4, 5) for _ in range(3)), params=(values(1, 2, 4, 4),))
    (node,) = [node for node in found if node.op == "attention"]
    assert len(node.inputs) == 5
    assert "softmax" not in ops(found)


def test_scores_of_all_heads_in_one_axis():
    """As BLOOM has it: heads are apart only while scores are masked."""

    def attend(params, q, k, v):
        scores = jnp.einsum("atd,asd->ats", q, k) * 0.5
        scores = scores.reshape(2, 3, 4, 4) + jnp.where(jnp.tri(4, dtype=bool), 0.0, -1e9)[None, None]
        weights = jax.nn.softmax(scores).reshape(6, 4, 4)
        return jnp.einsum("ats,asd->atd", weights, v)

    _, found = both(attend, *(values(6, 4, 5) for _ in range(3)))
    (node,) = [node for node in found if node.op == "attention"]
    assert (node["causal"], len(node.inputs)) == (True, 3)


def test_softmax_over_queries_is_no_attention():
    def attend(params, q, k, v):
        return jnp.einsum("bts,bsd->btd", jax.nn.softmax(jnp.einsum("btd,bsd->bts", q, k), 1), v)

    _, found = both(attend, *(values(2, 3, 4) for _ in range(3)))
    assert ops(found).count("softmax") == 1
    assert "attention" not in ops(found)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_softmax_and_its_logarithm(axis):
    def plain(params, x):
        e = jnp.exp(x)
        return e / e.sum(axis, keepdims=True)

    shape = (2, 3, 4)
    for function, log in (
        (plain, False),
        (lambda params, x: jax.nn.softmax(x, axis), False),
        (lambda params, x: jax.nn.log_softmax(x, axis), True),
        (lambda params, x: x - jax.nn.logsumexp(x, axis, keepdims=True), True),
    ):
        _, found = both(function, values(*shape))
        assert [(n.op, n["axis"], n["log"]) for n in found if n.op != "input"] == [("softmax", axis, log)]


def test_a_sum_over_another_axis_is_no_softmax():
    def other(params, x):
        e = jnp.exp(x)
        return e / e.sum(0)[:, None]

    _, found = both(other, values(3, 3))
    assert "softmax" not in ops(found)


def mean(x, axes):
    return x.mean(axes, keepdims=True)


FORMS = {
    "centred": lambda x, axes: (x - mean(x, axes), mean((x - mean(x, axes)) ** 2, axes)),
    "fast": lambda x, axes: (x - mean(x, axes), mean(x * x, axes) - mean(x, axes) ** 2),
    "library": lambda x, axes: (x - mean(x, axes), jnp.var(x, axes, keepdims=True)),
    "squares": lambda x, axes: (x, mean(jnp.square(x), axes)),
}
ROOTS = {
    "rsqrt": lambda v: jax.lax.rsqrt(v + 0.01),
    "inverse": lambda v: 1 / jnp.sqrt(v + 0.01),
    "power": lambda v: (v + 0.01) ** -0.5,
}
AXES = {"layer": (3,), "instance": (1, 2), "batch": (0, 1, 2)}


@pytest.mark.parametrize("root", [*ROOTS, "divided"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", AXES)
def test_norms_in_all_forms(kind, form, root):
    axes = AXES[kind]

    def norm(params, x):
        centred, variance = FORMS[form](x, axes)
        if root == "divided":
            return centred / jnp.sqrt(variance + 0.01) * params[0] + params[1]
        return centred * (ROOTS[root](variance) * params[0]) + params[1]

    _, found = both(norm, values(3, 4, 4, 5) + 1, params=(values(5), values(5)))
    norms = [node for node in found if node.op == "norm"]
    if form == "squares" and kind == "batch":
        assert not norms  # of the batch there is no such norm
        return
    (node,) = norms
    assert node["kind"] == ("rms" if form == "squares" else kind)
    assert (node["axes"], node["eps"]) == (axes, pytest.approx(0.01))
    if form != "squares" or kind == "layer":
        assert ops(found) == ["norm"]
        assert node["slots"] == ("scale", "offset")


def test_a_norm_of_means():
    def norm(params, x):
        x = x.mean((1, 2))
        return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)

    _, found = both(norm, values(3, 2, 2, 5))
    assert ops(found) == ["reduce", "norm"]


def test_a_variance_of_something_else_is_no_norm():
    def other(params, x, y):
        return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(y.var(-1, keepdims=True) + 1e-5)

    _, found = both(other, values(3, 4), values(3, 4) * 2)
    assert "norm" not in ops(found)


def test_lengths_of_something_else():
    """Divided by the length of another value, or by one that is kept above a number that counts."""

    def other(params, x, y):
        return x / jnp.sqrt(jnp.sum(y**2, -1, keepdims=True))

    def clipped(params, x, y):
        return x / jnp.maximum(jnp.sqrt(jnp.sum(x**2, -1, keepdims=True)), 2.0) + y

    for function in (other, clipped):
        _, found = both(function, values(3, 4), values(3, 4) + 1)
        assert "norm" not in ops(found)


@pytest.mark.parametrize("channel", [1, 3])
def test_group_norm_around_reshapes(channel):
    shape = (2, 6, 4, 4) if channel == 1 else (2, 4, 4, 6)
    split = (*shape[:channel], 3, 2, *shape[channel + 1 :])
    axes = tuple(axis for axis in range(1, 5) if axis != channel)
    vector = (6, 1, 1) if channel == 1 else (6,)

    def norm(params, x):
        x = x.reshape(split)
        x = (x - x.mean(axes, keepdims=True)) / jnp.sqrt(x.var(axes, keepdims=True) + 1e-5)
        return x.reshape(shape) * params[0].reshape(vector) + params[1].reshape(vector)

    _, found = both(norm, values(*shape) + 1, params=(values(6), values(6)))
    assert [op for op in ops(found) if op != "reshape"] == ["norm"]
    (node,) = [node for node in found if node.op == "norm"]
    assert (node["kind"], node["groups"], node["channel"], node["slots"]) == (
        "group",
        3,
        channel,
        ("scale", "offset"),
    )


def test_batch_norm_with_kept_statistics():
    def norm(params, x):
        mean, variance, scale, offset = params
        return (x - mean) / jnp.sqrt(variance + 1e-3) * scale + offset

    _, found = both(norm, values(3, 4, 5), params=tuple(np.abs(values(4, 5)) + 0.5))
    (node,) = [node for node in found if node.op != "parameter" and node.op != "input"]
    assert (node["kind"], node["train"], node["axes"], node["channel"]) == ("batch", False, (0, 1), 2)
    assert node["slots"] == ("scale", "offset", "mean", "variance")


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in _PLAIN])
def test_every_activation_of_the_catalogue_is_told_by_its_values(name):
    known = CATALOGUE[name]
    found = named_by_values(known.make(*known.defaults.values())[0](POINTS))
    assert found is not None
    again, arguments = found
    other = CATALOGUE[again].make(*(arguments or CATALOGUE[again].defaults.values()))[0]
    np.testing.assert_allclose(
        other(POINTS), known.make(*known.defaults.values())[0](POINTS), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("function", "name", "arguments"),
    [
        (lambda x: jnp.where(x > 0, x, 0.2 * x), "leaky_relu", 0.2),
        (lambda x: jax.nn.elu(x, 0.5), "elu", 0.5),
        (lambda x: x * jax.nn.sigmoid(2.5 * x), "quick_gelu", 2.5),
        (lambda x: jnp.clip(x, -2.0, 3.0), "hard_tanh", (-2.0, 3.0)),
        (lambda x: jnp.log1p(jnp.exp(3 * x)) / 3, "softplus", 3.0),
    ],
)
def test_activations_with_arguments(function, name, arguments):
    _, found = both(lambda params, x: function(x), values(4, 5) * 2)
    assert [(n["function"], n["arguments"]) for n in found if n.op == "elementwise"] == [
        (name, pytest.approx(arguments if isinstance(arguments, tuple) else (arguments,), rel=1e-5))
    ]


@pytest.mark.parametrize(
    "function", [lambda x: jnp.clip(x, -1e4, 1e4), lambda x: jnp.clip(jax.nn.relu(x), 0, 40)]
)
def test_ends_that_lie_far_away_stay(function):
    _, found = both(lambda params, x: function(x), values(6) * 100)
    assert "minimum" in [n["function"] for n in found if n.op == "elementwise"]


def test_gates_of_two_values_are_no_activations():
    _, found = both(lambda params, x, y: x * jax.nn.sigmoid(y), values(3), values(3) * 2)
    assert [n["function"] for n in found if n.op == "elementwise"] == ["sigmoid", "multiply"]


def test_biases_means_and_pools():
    def net(params, x):
        x = (
            jax.lax.conv_general_dilated(
                x, params[0], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            + params[1]
        )
        ones = jnp.ones_like(x)
        total, count = (
            jax.lax.reduce_window(y, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "SAME") for y in (x, ones)
        )
        return (total / count).mean((1, 2)) @ params[2] + params[3]

    params = (values(3, 3, 2, 4), values(4), values(4, 5), values(5))
    _, found = both(net, values(2, 5, 5, 2), params=params)
    assert ops(found) == ["convolution", "pool", "reduce", "linear"]
    assert [len(node.inputs) for node in found if node.op in ("convolution", "linear")] == [3, 3]
    assert next(node for node in found if node.op == "pool")["count_pad"] is False


def logits(params, x):
    return x @ params[0]


def binary(z, y):
    return -y * jax.nn.log_sigmoid(z) - (1 - y) * jax.nn.log_sigmoid(-z)


def of_probabilities(p, y):
    return y * jnp.log(p) + (1 - y) * jnp.log(1 - p)


def of_labels(z, y):
    return jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], -1)


BINARY = {
    "log_sigmoid": binary,
    "optax": optax.sigmoid_binary_cross_entropy,
    "softplus": lambda z, y: jax.nn.softplus(z) - y * z,
    "logaddexp": lambda z, y: jnp.logaddexp(0, z) - z * y,
    "stable": lambda z, y: jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))),
    "probabilities": lambda z, y: -of_probabilities(jax.nn.sigmoid(z), y),
    "both signs": lambda z, y: y * jax.nn.softplus(-z) + (1 - y) * jax.nn.softplus(z),
    "labels of two signs": lambda z, y: jax.nn.softplus(-(2 * y - 1) * z),
}
SQUARED = {
    "optax": optax.squared_error,
    "half": optax.l2_loss,
    "other way around": lambda z, y: (y - z) ** 2,
    "product": lambda z, y: (z - y) * (z - y),
    "constant": lambda z, y: (z - 1) ** 2,
}
OF_CLASSES = {
    "optax": optax.softmax_cross_entropy_with_integer_labels,
    "optax, one-hot": lambda z, y: optax.softmax_cross_entropy(z, jax.nn.one_hot(y, 4)),
    "smoothed": lambda z, y: optax.softmax_cross_entropy(z, optax.smooth_labels(jax.nn.one_hot(y, 4), 0.2)),
    "taken": lambda z, y: -of_labels(z, y),
    "taken with a minus inside": lambda z, y: of_labels(z, y) * -1.0,
    "indexed": lambda z, y: -jax.nn.log_softmax(z)[jnp.arange(5), y],
    "logarithm of softmax": lambda z, y: -jnp.log(jax.nn.softmax(z))[jnp.arange(5), y],
    "mapped": lambda z, y: jax.vmap(lambda z, y: jax.nn.logsumexp(z) - z[y])(z, y),
    "weighted": lambda z, y: -(jax.nn.one_hot(y, 4) * jax.nn.log_softmax(z)),
}
TOTALS = {
    "mean": jnp.mean,
    "sum": jnp.sum,
    "negative": lambda each: -jnp.mean(-each),
    "by rows": lambda each: each.reshape(5, -1).sum(-1).mean(),
    "shared out": lambda each: each.sum() / 5,
}


@pytest.mark.parametrize("over", TOTALS)
@pytest.mark.parametrize(
    ("kind", "form"),
    [
        *(("binary_cross_entropy", form) for form in BINARY),
        *(("mse", form) for form in SQUARED),
        *(("cross_entropy", form) for form in OF_CLASSES),
    ],
)
def test_losses_in_all_forms(kind, form, over):
    each = {"binary_cross_entropy": BINARY, "mse": SQUARED, "cross_entropy": OF_CLASSES}[kind][form]
    targets = np.array([1, 0, 3, 3, 2], np.int32) if kind == "cross_entropy" else np.abs(values(5, 4))

    _, found = both(
        lambda params, x, y: TOTALS[over](each(logits(params, x), y)),
        values(5, 3),
        targets,
        params=(values(3, 4),),
    )
    (node,) = [node for node in found if node.op == "loss"]
    assert node["kind"] == kind
    assert ops(found)[-1] == "loss" or found[found.outputs[0]]["scalars"] != (1.0, None)
    predictions = found[node.inputs[0]]
    assert predictions.op == "linear" or form == "labels of two signs"
    if form not in ("constant", "labels of two signs"):
        assert node.inputs[1] == "y"
    assert node.get("smoothing", 0) == pytest.approx(0.2 if form == "smoothed" else 0)


def test_a_mean_of_the_other_sign_is_a_loss_times_a_number():
    _, found = both(
        lambda params, x, y: -optax.l2_loss(logits(params, x), y).mean(),
        values(5, 3),
        values(5, 4),
        params=(values(3, 4),),
    )
    last = found[found.outputs[0]]
    assert (last["function"], last["scalars"]) == ("multiply", (-0.5, None))
    assert found[last.inputs[0]].op == "loss"


def test_several_losses_and_what_is_beside_them():
    def loss(params, x, y, labels):
        z = logits(params, x)
        decay = 1e-2 * sum(jnp.sum(p**2) for p in params)
        entropy = optax.softmax_cross_entropy_with_integer_labels(z, labels).mean()
        return entropy + 0.1 * optax.squared_error(z, y).mean() + decay, z

    _, found = both(
        loss, values(5, 3), values(5, 4), np.array([1, 0, 3, 3, 2], np.int32), params=(values(3, 4),)
    )
    assert {node["kind"] for node in found if node.op == "loss"} == {"cross_entropy", "mse"}


@pytest.mark.parametrize(
    "function",
    [
        lambda params, x, y: optax.huber_loss(logits(params, x), y).mean(),
        lambda params, x, y: jnp.mean(binary(logits(params, x), jnp.clip(y, 0, 1)) * y),
        lambda params, x, y: jnp.mean((logits(params, x) - y) ** 2, 0),
        lambda params, x, y: jnp.mean((logits(params, x) - y) ** 4),
        lambda params, x, y: jnp.tanh(x * jnp.mean((logits(params, x) - y) ** 2)),
    ],
)
def test_what_is_no_loss(function):
    _, found = both(function, values(5, 3), np.abs(values(5, 4)), params=(values(3, 4),))
    assert "loss" not in ops(found)


def test_binary_losses_of_sigmoids_read_what_these_are_of():
    nodes = (
        Node("x", "input", (), (2, 3)),
        Node("y", "input", (), (2, 3)),
        Node("p", "elementwise", ("x",), (2, 3), attributes={"function": "sigmoid"}),
        Node(
            "loss",
            "loss",
            ("p", "y"),
            attributes={"kind": "binary_cross_entropy", "reduction": "sum", "logits": False},
        ),
    )
    found = recognize(SignalGraph(nodes, outputs=("loss",)))
    assert found["loss"].inputs == ("x", "y")
    assert (found["loss"]["logits"], found["loss"]["reduction"]) == (True, "sum")


@pytest.mark.parametrize(("function", "factor"), [("sum", 1.0), ("mean", 1 / 6)])
def test_losses_of_each_element_and_what_is_made_of_them(function, factor):
    nodes = (
        Node("x", "input", (), (2, 3)),
        Node("y", "input", (), (2, 3)),
        Node("each", "loss", ("x", "y"), (2, 3), attributes={"kind": "mse", "reduction": "none"}),
        Node("all", "reduce", ("each",), attributes={"function": function, "axes": (0, 1), "keep": False}),
    )
    found = recognize(SignalGraph(nodes, outputs=("all",)))
    (node,) = [node for node in found if node.op == "loss"]
    assert (node["reduction"], node.shape) == ("sum", ())
    assert ops(found) == (["loss"] if factor == 1 else ["loss", "elementwise"])
    x, y = values(2, 3), values(2, 3) * 2
    np.testing.assert_allclose(interpret(found, {}, x, y)[0], factor * ((x - y) ** 2).sum(), rtol=1e-5)


def test_layers_that_are_called_twice_end_once():
    def loss(params, x, y):
        return jnp.mean(jax.nn.softplus(x @ params["w"]) - y * (x @ params["w"]))

    graph = signal_graph(loss, (values(5, 3), values(5, 4)), params={"w": values(3, 4)})
    found = recognize(graph)
    assert ops(found) == ["linear", "loss"]
    assert found.layers == {"w": found[found.outputs[0]].inputs[0]}


def test_activations_of_activations_of_the_same_value():
    def net(params, x, y):
        logs = jax.nn.log_sigmoid(x * 2), jax.nn.log_sigmoid(-(x * 2))
        return -y * logs[0] - (1 - y) * logs[1]

    _, found = both(net, values(4), values(4) * 2)
    names = [node["function"] for node in found if node.op == "elementwise"]
    assert {"log_sigmoid", "softplus"} & set(names)
    assert not {"exp", "log1p", "abs", "where"} & set(names)


def test_names_of_ends_and_layers_stay():
    graph = signal_graph(
        lambda params, x: jax.nn.silu(x @ params[0]) * 2, values(2, 3), params=(values(3, 4),)
    )
    found = recognize(graph)
    assert found.outputs == graph.outputs
    assert found.layers == graph.layers


def test_bodies_of_scans_are_read_too():
    def rnn(params, xs):
        return jax.lax.scan(lambda h, x: (jax.nn.silu(h + x), None), jnp.zeros(3), xs)[0]

    _, found = both(rnn, values(4, 3))
    (scan,) = [node for node in found if node.op == "scan"]
    assert [node.get("function") for node in scan.body if node.op == "elementwise"] == ["add", "silu"]


def test_an_empty_graph_stays_empty():
    assert len(recognize(SignalGraph((Node("x", "input", (), (2,)),), outputs=("x",)))) == 1
