"""Profiles of graphs."""

import math

import pytest

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
