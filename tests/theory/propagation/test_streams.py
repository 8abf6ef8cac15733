"""Residual streams, whose skips keep what branches know of them, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted, predicted_back

LAW = InputLaw(second_moment=1.0, position=0.2, example=0.2)
N = 256


def _branch(m, x, gain=2.0):
    return m.linear(m.apply("relu", m.linear(x, N, variance=gain / N)), N)


@pytest.mark.parametrize("post", [False, True])
def test_blocks(post):
    """Where a ReLU follows each sum, one mask lies on the branch and on the skip."""
    m = Maker()
    x = m.input(4, 2, N)
    y = m.linear(x, N)
    stream = []
    for _ in range(3):
        y = m.apply("add", y, _branch(m, y))
        y = m.apply("relu", y) if post else y
        stream.append(y)
    agree(m.graph(y), [x, *stream], {x: LAW})


def test_gates_on_a_stream():
    """A highway: t h + (1 - t) x."""
    m = Maker()
    x = m.input(4, N)
    h = m.apply("tanh", m.linear(x, N))
    t = m.apply("sigmoid", m.linear(x, N))
    kept = m.apply("multiply", x, m.apply("subtract", 1.0, t))
    y = m.linear(m.apply("add", m.apply("multiply", t, h), kept), N)
    agree(m.graph(y), [x, h, y], {x: LAW})


def test_scaled_residuals():
    """x + 0.1 tanh(x): a factor on one of two ways of the same gradient."""
    m = Maker()
    x = m.input(4, N)
    y = m.apply("add", x, m.apply("multiply", m.apply("tanh", x), 0.5))
    z = m.linear(y, N)
    agree(m.graph(z), [x, y, z], {x: LAW})


def test_norms_whose_scale_is_zero():
    """As ResNets whose last scale is 0: only the scale learns, and the skip passes everything."""
    m = Maker()
    x = m.input(4, 6, N)
    before = _branch(m, x)
    zeros = {slot: m.weight(N, mean=0.0, variance=0.0) for slot in ("scale", "offset")}
    branch = m.norm(before, "layer", axes=(2,), channel=2, **zeros)
    y = m.apply("add", x, branch)
    found = run(m.graph(y), {x: LAW})
    assert predicted(found, y)["q"] == pytest.approx(1.0, rel=0.01)
    assert predicted_back(found, x)["q"] == pytest.approx(1.0, rel=0.01)
    assert predicted_back(found, before)["q"] == 0
    gradients = {
        name: sum(part.second_moment for part in parts) for name, parts in found.context.gradients.items()
    }
    assert gradients["w0"] == gradients["w1"] == 0
    assert gradients["w2"] == pytest.approx(4 * 6, rel=0.02)


def test_pre_norm_transformer_block():
    m = Maker()
    x = m.input(2, 8, N)
    h = m.norm(x, "rms", axes=(2,), channel=2)
    query, key, value = (m.heads(m.linear(h, N), 4) for _ in range(3))
    heads = m.attention(query, key, value, causal=True)
    y = m.apply("add", x, m.linear(m.reshape(m.permute(heads, 0, 2, 1, 3), 2, 8, N), N))
    h = m.norm(y, "rms", axes=(2,), channel=2)
    gate = m.apply("multiply", m.apply("silu", m.linear(h, 2 * N)), m.linear(h, 2 * N))
    z = m.apply("add", y, m.linear(gate, N))
    agree(m.graph(z), [x, y, z], {x: LAW})
