"""Graphs from their inputs to their outputs and back, and what nobody knows of them."""

import numpy as np
import pytest

from fanin.graph.signal import Law
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Fixed, Kernel, Signal, Tokens, Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted

N = 64


def _opaque(m, *inputs, shape):
    return m.node("opaque", *inputs, shape=shape, operator="odd::op")


def test_unknown_is_unknown_all_the_way():
    m = Maker()
    x = m.input(4, N)
    first = m.linear(x, N)
    odd = _opaque(m, m.apply("relu", first), shape=(4, N))
    after = m.linear(m.apply("tanh", odd), N)
    beside = m.linear(x, N)
    out = m.apply("add", after, beside)
    found = run(m.graph(out), {})
    # Forward: the op and what follows, and nothing else.
    for name in (odd, after, out):
        assert isinstance(found.values[name], Unknown)
        assert "odd::op" in found.values[name].reason
    for name in (x, first, beside):
        assert isinstance(found.values[name], Signal)
    # Backward: all that it reads, and weights of unknown layers.
    for name in (out, after, odd, first, x):
        assert name not in found.cotangents
        assert "odd::op" in found.lost[name]
    assert not found.context.gradients


def test_unknown_beside_what_is_known():
    """Of two outputs one is unknown; gradients of the other are known where it is alone."""
    m = Maker()
    x = m.input(4, N)
    stem = m.linear(x, N)
    left = m.linear(stem, N)
    right = m.linear(_opaque(m, stem, shape=(4, N)), N)
    found = run(m.graph(left, right), {})
    assert left in found.cotangents
    assert "w1" in found.context.gradients
    for name in (stem, x):
        assert name not in found.cotangents
    assert "w0" not in found.context.gradients


def test_unknown_that_is_not_read_changes_nothing():
    m = Maker()
    x = m.input(4, N)
    odd = _opaque(m, x, shape=(4, N))
    y = m.linear(x, N)
    found = run(m.graph(y), {})
    assert isinstance(found.values[odd], Unknown)
    assert predicted(found, y)["q"] == pytest.approx(1.0, rel=0.01)
    assert x in found.cotangents


def test_kernel_of_unknown_law():
    m = Maker()
    x = m.input(4, N)
    w = m.weight(N, N, law=None)
    y = m.node("linear", x, w, shape=(4, N), equation="ab,cb->ac")
    found = run(m.graph(y), {})
    assert isinstance(found.values[y], Unknown)
    assert "w0" in found.values[y].reason
    assert not found.context.gradients


def test_op_without_a_rule():
    m = Maker()
    x = m.input(4, N)
    y = m.node("matmul", x, x, shape=(4, 4), equation="ab,cb->ac")
    found = run(m.graph(y), {}).values[y]
    assert isinstance(found, Unknown)
    assert "matmul" in found.reason


def test_inputs():
    m = Maker()
    x = m.input(4, 6, N)
    ids = m.tokens(4, 6)
    given = InputLaw(mean=0.5, second_moment=2.0, position=0.3, example=0.2)
    y = m.linear(x, N)
    z = m.embedding(ids, m.weight(9, N))
    found = run(m.graph(y, z), {x: given, ids: InputLaw(tokens=True)})
    moments = predicted(found, x)
    assert moments["mean"] == pytest.approx(0.5, abs=1e-3)
    assert moments["q"] == pytest.approx(2.0, rel=2e-3)
    assert moments["position"] == pytest.approx(0.6, abs=0.01)
    assert moments["example"] == pytest.approx(0.4, abs=0.01)
    assert moments["both"] == pytest.approx(0.4, abs=0.01)
    assert isinstance(found.values[ids], Tokens)


def test_weights():
    m = Maker()
    centred = m.weight(N, N, mean=0.01, variance=1.0)
    shifted = m.weight(N, N, mean=1.0, variance=1.0)
    y = m.apply("add", centred, shifted)
    found = run(m.graph(y), {}).values
    # So small a mean of so many values may be their chance.
    assert found[centred].law == Law(0.0, 1.0001)
    assert found[shifted].law.mean == 1.0
    assert isinstance(found[y], Kernel)
    assert found[y].law.second_moment == pytest.approx(3.0, rel=0.02)


def test_constants():
    m = Maker()
    listed = m.constant((1.0, 2.0, 3.0), 3)
    large = m.node("constant", shape=(1000, 1000), mean=0.5, second_moment=1.25)
    found = run(m.graph(m.apply("add", listed, 1.0), large), {}).values
    assert isinstance(found[listed], Fixed)
    assert found[listed].mean == 2.0
    assert (found[large].array, found[large].mean, found[large].second) == (None, 0.5, 1.25)


def test_the_same_seed_gives_the_same():
    m = Maker()
    x = m.input(4, N)
    y = m.apply("gelu", m.linear(x, N))
    one, same, other = (run(m.graph(y), {}, seed=seed).values[y].values for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_rows():
    m = Maker()
    x = m.input(4, N)
    found = run(m.graph(m.linear(x, N)), {}, rows=256)
    assert found.values[x].values.shape[0] == 256


def test_steps_that_are_written_out():
    """A state that forgets, and takes each step's values in: they are different ones."""
    m = Maker()
    x = m.input(6, 8, N)
    y = m.linear(x, N)
    state = None
    for step in range(8):
        now = m.slice(y, 1, step, step + 1, drop=True)
        state = now if state is None else m.apply("add", m.apply("multiply", state, 0.5), now)
    out = m.linear(state, N)
    agree(m.graph(out), [y, state, out], {x: InputLaw(position=0.3)})
