"""Profiles of graphs."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.predict import predict
from theory.propagation.graphs import Maker

N = 128


def _relu_layers(variance=2 / N, examples=8):
    m = Maker()
    x = m.input(examples, N)
    first = m.linear(x, N, variance=variance)
    second = m.linear(m.apply("relu", first), N, variance=variance)
    return m, x, first, second


def test_layers_of_a_module_tree():
    m, x, first, second = _relu_layers()
    graph = m.graph(second, layers={"a": first, "b": second})
    profile = predict(graph, {x: InputLaw()}, inputs="8x128")
    assert list(profile) == ["a", "b"]
    assert profile["a"].forward.q.value == pytest.approx(2.0, rel=0.01)
    assert profile["b"].forward.q.value == pytest.approx(2.0, rel=0.02)
    assert profile["b"].backward.q.value == pytest.approx(1.0, rel=0.01)
    assert profile["a"].backward.q.value == pytest.approx(1.0, rel=0.02)
    assert profile["a"].shape == (8, N)
    assert (profile.source, profile.inputs) == ("predicted", "8x128")


def test_nodes_of_a_graph_without_modules():
    m, _, _first, second = _relu_layers()
    assert list(predict(m.graph(second), {})) == [
        node.name for node in m.nodes if node.op not in ("input", "parameter")
    ]


def test_chi_1():
    """fan_in Var(w) E[f'^2]: 1 for ReLU under He's variance; none where no function was applied."""
    m, _, first, second = _relu_layers()
    profile = predict(m.graph(second), {})
    assert profile[second].chi_1 == pytest.approx(1.0, rel=0.02)
    m, _, first, second = _relu_layers(variance=3 / N)
    assert predict(m.graph(second), {})[second].chi_1 == pytest.approx(1.5, rel=0.02)
    assert first in predict(m.graph(second), {})


def test_chi_1_of_a_jump():
    """What a gradient sees of a function that jumps is its slope on both sides."""
    m = Maker()
    first = m.linear(m.input(4, 256), 256)
    jumps = m.apply(
        "where", m.apply("greater", first, m.constant(1.0)), first, m.apply("multiply", first, 0.5)
    )
    second = m.linear(jumps, 256)
    above = float(norm.sf(1))
    wanted = above + 0.25 * (1 - above)
    assert predict(m.graph(second), {})[second].chi_1 == pytest.approx(wanted, rel=1e-3)


def test_correlations():
    m, x, first, second = _relu_layers()
    law = InputLaw(example=0.5)
    found = predict(m.graph(second), {x: law})
    assert found[first].forward.c.value == pytest.approx(0.5, abs=0.01)
    angle = math.acos(0.5)  # the arc-cosine kernel, Cho and Saul (2009)
    truth = (math.sin(angle) + (math.pi - angle) * 0.5) / math.pi
    assert found[second].forward.c.value == pytest.approx(truth, abs=0.01)
    assert found[second].backward.c.value == pytest.approx(0.0, abs=0.01)


def test_one_example_has_no_correlation():
    m, _, _, second = _relu_layers(examples=1)
    found = predict(m.graph(second), {})[second]
    assert found.forward.c is None
    assert found.backward.c is None


def test_chance_of_widths():
    """Mean squares of n B normal numbers vary by 2 / (n B): those of the inputs, and those of the outputs."""
    m, _, first, second = _relu_layers()
    q = predict(m.graph(second), {})[first].forward.q
    assert q.chance / q.value == pytest.approx(math.sqrt(2 * 2 / (8 * N)), rel=0.2)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", None])
def test_what_gradients_are_of(loss):
    m, _, _, second = _relu_layers()
    profile = predict(m.graph(second), {}, loss=loss)
    assert (loss or "standard normal") in profile.cotangent


def test_parameters():
    m, _, first, second = _relu_layers()
    profile = predict(m.graph(second), {})
    names = [parameter.name for parameter in profile.parameters]
    assert names == ["w0", "w1"]
    last = profile.parameters[1]
    assert last.second_moment == pytest.approx(2 / N)
    # Sums over 8 examples of g x, with E[x^2] = 1.
    assert last.gradient.value == pytest.approx(8.0, rel=0.02)
    assert first in profile


def test_unknown_layers_say_why():
    m, x, first, second = _relu_layers()
    odd = m.node("opaque", second, shape=(8, N), operator="odd::op")
    last = m.linear(odd, N)
    graph = m.graph(last, layers={"first": first, "odd": odd, "last": last})
    profile = predict(graph, {x: InputLaw()})
    assert profile["first"].forward is not None
    assert profile["first"].backward is None
    assert "odd::op" in profile["first"].unknown
    for name in ("odd", "last"):
        assert profile[name].forward is None
        assert "odd::op" in profile[name].unknown
    assert all(parameter.gradient is None for parameter in profile.parameters)


def _loop(operator="", carried_out=True):
    """Return a graph that goes through 6 steps of h = tanh(W h + V x), y = U h, with layers inside."""
    inner = Maker()
    state, step = inner.input(8, N), inner.input(8, N)
    rec, seen = inner.linear(state, N, variance=0.5 / N), inner.linear(step, N, variance=0.5 / N)
    total = inner.node("elementwise", rec, seen, shape=(8, N), function="add")
    new = inner.apply("tanh", total)
    if operator:
        new = inner.node("opaque", new, shape=(8, N), operator=operator)
    out = inner.linear(new, 10)
    layers = {"cell.recurrent": rec, "cell": new, "cell.out": out}
    body = inner.graph(new, out, layers=layers)
    m = Maker()
    start, x = m.node("constant", shape=(8, N), value=0.0), m.input(6, 8, N)
    m.weights += inner.weights
    options = {"body": body, "carried": 1, "length": 6, "reverse": False}
    ys = m.node("scan", start, x, shape=(6, 8, 10), output=1, **options)
    last = m.node("scan", start, x, shape=(8, N), output=0, **options)
    after = m.linear(last, 10)
    return m.graph(*((ys, after) if carried_out else (ys,)), layers={"loop": ys, "after": after})


def test_layers_inside_of_a_loop_are_means_over_its_steps():
    profile = predict(_loop(), {})
    assert list(profile) == ["cell.recurrent", "cell", "cell.out", "loop", "after"]
    assert profile["cell"].shape == (6, 8, N)
    random = np.random.default_rng(0)
    states, recurrent, h = [], [], np.zeros((4096, N))
    w, v = (random.normal(0, math.sqrt(0.5 / N), (N, N)) for _ in range(2))
    for _ in range(6):
        recurrent.append(h @ w)
        h = np.tanh(recurrent[-1] + random.normal(size=(4096, N)) @ v)
        states.append(h)
    assert profile["cell"].forward.q.value == pytest.approx(np.mean(np.square(states)), rel=0.02)
    found = profile["cell.recurrent"].forward.q
    assert found.value == pytest.approx(np.mean(np.square(recurrent)), rel=0.03)
    assert profile["cell.out"].forward.q.value == pytest.approx(profile["loop"].forward.q.value, rel=1e-6)
    assert profile["cell.out"].backward.q.value == pytest.approx(1, rel=0.02)


def test_gradients_inside_of_a_loop_come_from_all_of_its_values():
    whole, part = (predict(_loop(carried_out=out), {})["cell"].backward.q for out in (True, False))
    # That of the last state is in one of six steps, and in those before through the recurrence.
    assert whole.value > part.value * 1.05


def test_what_is_unknown_inside_of_a_loop_has_its_reason():
    profile = predict(_loop("library.sort"), {})
    for name in ("cell.recurrent", "cell", "cell.out", "loop"):
        assert profile[name].forward is None
        assert "library.sort" in profile[name].unknown


def test_inputs_of_one_channel_bring_no_doubt():
    """A product is exact for any width; of what an activation gains by chance, half is in doubt."""
    m = Maker()
    x = m.input(4, 1, 12, 12)
    y = m.convolution(x, 32, (3, 3))
    z = m.apply("tanh", y)
    profile = predict(m.graph(z, layers={"conv": y, "tanh": z}), {})
    conv, tanh = (profile[name].forward.q for name in ("conv", "tanh"))
    assert conv.error / conv.value < 0.03
    assert conv.error / conv.value < tanh.error / tanh.value < 0.2
