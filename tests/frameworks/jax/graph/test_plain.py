"""Plain functions of parameters and inputs as graphs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.frameworks.jax.graph import signal_graph
from fanin.frameworks.jax.tree import named_leaves
from fanin.theory.recognition import recognize
from interpreter import interpret


def image(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def start(key):
    one, other = jax.random.split(key)
    return {
        "first": {"w": jax.random.normal(one, (4, 8)) / 2, "b": jnp.zeros(8)},
        "second": {"w": jax.random.uniform(other, (8, 2), minval=-1), "b": jnp.ones(2)},
    }


def mlp(params, x):
    h = jnp.tanh(x @ params["first"]["w"] + params["first"]["b"])
    return h @ params["second"]["w"] + params["second"]["b"]


def test_the_graph_computes_what_the_function_computes():
    params, x = start(jax.random.key(0)), image(3, 4)
    graph = signal_graph(mlp, x, params=params)
    for found in (graph, recognize(graph)):
        np.testing.assert_allclose(
            interpret(found, dict(named_leaves(params)), x)[0], mlp(params, x), rtol=1e-5
        )


def test_layers_are_the_paths_of_kernels():
    graph = signal_graph(mlp, image(3, 4), params=start(jax.random.key(0)))
    assert {path: graph[name]["function"] for path, name in graph.layers.items()} == {
        "first": "add",
        "second": "add",
    }
    source = graph[graph.layers["second"]].source
    assert source.layer == "second"
    assert source.file == __file__
    assert source.line == mlp.__code__.co_firstlineno + 2


def test_parameters_at_the_top_are_layers_of_their_own():
    def net(params, x):
        return jnp.tanh(x @ params["w1"] + params["b1"]) @ params["w2"]

    params = {"w1": jnp.ones((4, 3)), "b1": jnp.ones(3), "w2": jnp.ones((3, 2))}
    graph = signal_graph(net, image(2, 4), params=params)
    assert {path: graph[name].op for path, name in graph.layers.items()} == {
        "w1": "elementwise",
        "w2": "linear",
    }


def test_declared_laws_of_a_start():
    graph = signal_graph(mlp, jax.ShapeDtypeStruct((3, 4), "float32"), start=start)
    laws = {name: weight.law for name, weight in graph.weight.items()}
    assert (laws["first.w"].name, laws["first.w"].variance) == ("normal", pytest.approx(0.25, rel=2e-4))
    assert (laws["second.w"].name, laws["second.w"].variance) == ("uniform", pytest.approx(1 / 3, rel=2e-5))
    assert (laws["second.b"].mean, laws["second.b"].variance) == (1.0, 0.0)
    assert {weight.source for weight in graph.weights} == {"declared"}


def test_descriptions_without_a_start_have_no_law():
    params = jax.eval_shape(start, jax.random.key(0))
    assert signal_graph(mlp, image(3, 4), params=params).weight["first.w"].law is None


def test_arithmetic_on_weights_stays_arithmetic():
    def lora(params, x):
        return x @ (params["w"] + params["a"] @ params["b"] * 0.5).astype(jnp.float32)

    params = {"w": jnp.ones((4, 3)), "a": jnp.ones((4, 2)), "b": jnp.ones((2, 3))}
    graph = signal_graph(lora, image(2, 4), params=params)
    assert [n.op for n in graph if n.op not in ("parameter", "input")] == [
        "matmul",
        "elementwise",
        "elementwise",
        "linear",
    ]


def test_inputs_have_the_names_of_the_arguments():
    def two(params, query, context):
        return query * params + context["keys"]

    inputs = (image(2, 3), {"keys": image(2, 3)})
    graph = signal_graph(two, inputs, params=jnp.ones(3))
    assert [n.name for n in graph if n.op == "input"] == ["query", "context.keys"]


def test_a_loop_over_time_is_a_scan_with_a_body():
    def rnn(params, xs):
        def step(h, x):
            return jnp.tanh(h @ params["h"] + x @ params["x"]), h.sum()

        return jax.lax.scan(step, jnp.zeros((3, 5)), xs)

    params = {"h": jnp.eye(5) * 0.5, "x": image(4, 5)}
    xs = image(6, 3, 4)
    graph = signal_graph(rnn, xs, params=params)
    first = next(n for n in graph if n.op == "scan")
    assert (first["carried"], first["length"], first["reverse"]) == (1, 6, False)
    assert {w.name for w in first.body.weights} == {"h", "x"} == {w.name for w in graph.weights}
    for found, expected in zip(interpret(graph, params, xs), jax.tree.leaves(rnn(params, xs)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_what_a_loop_reads_from_outside_is_carried():
    def attend(params, xs, context):
        def step(h, x):
            return h + jnp.tanh(x @ params["w"]) * context, None

        return jax.lax.scan(step, jnp.zeros((3, 5)), xs, reverse=True)[0]

    params = {"w": image(4, 5)}
    xs, context = image(6, 3, 4), image(3, 5)
    graph = signal_graph(attend, (xs, context), params=params)
    (scan,) = [n for n in graph if n.op == "scan"]
    assert scan["carried"] == 2
    (found,) = interpret(graph, params, xs, context)
    np.testing.assert_allclose(found, attend(params, xs, context), rtol=1e-5, atol=1e-5)


def test_masks_and_tables_are_constants_or_vanish():
    def net(params, x):
        angles = jnp.cos(jnp.arange(4.0) * 0.5)
        scaled = x * (jnp.sqrt(16.0) / 4 * jnp.ones(4))
        return scaled @ params * jax.lax.stop_gradient(angles)

    graph = signal_graph(net, image(2, 4), params=jnp.ones((4, 4)))
    assert [n.op for n in graph] == ["parameter", "input", "linear", "constant", "elementwise"]


def test_what_is_dropped_together_is_told():
    def net(params, x):
        one, other = jax.random.split(jax.random.key(0))
        rows = jax.random.bernoulli(one, 0.9, (2, 1, 4))
        x = jnp.where(jnp.broadcast_to(rows, x.shape), x / 0.9, 0)
        paths = jnp.floor(0.8 + jax.random.uniform(other, (2, 1, 1)))
        return x / 0.8 * paths * params

    graph = signal_graph(net, image(2, 3, 4), params=jnp.ones(4))
    found = [(node["rate"], node.get("shared")) for node in graph if node.op == "dropout"]
    assert found == [(pytest.approx(0.1), (1,)), (pytest.approx(0.2), (1, 2))]
    assert "opaque" not in {node.op for node in graph}


def test_random_numbers_of_an_unknown_law_are_opaque():
    def noisy(params, x):
        return x * params + jax.random.cauchy(jax.random.key(0), x.shape)

    assert [
        n["operator"] for n in signal_graph(noisy, image(2, 3), params=jnp.ones(3)) if n.op == "opaque"
    ] == ["random"]


def test_laws_take_the_place_of_values():
    from fanin.graph.signal import Law

    graph = signal_graph(mlp, image(3, 4), params=start(jax.random.key(0)), laws={"first.w": Law(0.0, 9.0)})
    assert (graph.weight["first.w"].law.variance, graph.weight["first.w"].source) == (9.0, "plan")
    with pytest.raises(FaninError, match="no parameter 'third'"):
        signal_graph(mlp, image(3, 4), params=start(jax.random.key(0)), laws={"third": Law(0.0, 1.0)})


def test_missing_parameters_are_told():
    with pytest.raises(FaninError, match="mlp is a function of parameters"):
        signal_graph(mlp, image(3, 4))
    with pytest.raises(FaninError, match="says nothing of what is computed"):
        signal_graph({"w": jnp.ones(3)}, image(3, 4))


def branching(params, x):
    return (x * 2 if x.sum() > 0 else x) @ params


def repeating(params, x):
    for _ in range(int(x.max())):
        x = jnp.tanh(x)
    return x @ params


def selecting(params, x):
    return x[x[:, 0] > 0] @ params


@pytest.mark.parametrize(
    ("function", "line", "fix"),
    [
        (branching, 1, "jnp.where or a constant in place of Python's if"),
        (repeating, 1, "jax.lax.cond"),
        (selecting, 1, "jnp.where, or a mask, in the place of what selects"),
    ],
)
def test_what_depends_on_values_is_told_with_its_line(function, line, fix):
    with pytest.raises(FaninError) as caught:
        signal_graph(function, image(3, 4), params=jnp.ones((4, 4)))
    assert f"{function.__name__} cannot be traced with these inputs" in str(caught.value)
    assert f"test_plain.py:{function.__code__.co_firstlineno + line}" in str(caught.value)
    assert fix in str(caught.value)
