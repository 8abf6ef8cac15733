"""Tables that tokens look up, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Kernel, Tokens, Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted

N = 128
TOKENS = InputLaw(tokens=True)


@pytest.mark.parametrize("rows", [5, 50])
def test_tokens_that_repeat(rows):
    m = Maker()
    ids = m.tokens(4, 6)
    x = m.embedding(ids, m.weight(rows, N, variance=0.5))
    y = m.linear(x, N)
    agree(m.graph(y), [x, y], {ids: TOKENS})


def test_tied_head():
    """The table is read twice, and learns both times."""
    m = Maker()
    ids = m.tokens(4, 6)
    table = m.weight(200, N, variance=1 / N)
    x = m.embedding(ids, table)
    h = m.apply("tanh", m.linear(x, N, variance=4 / N))
    y = m.node("linear", h, table, shape=(4, 6, 200), equation="abc,dc->abd")
    agree(m.graph(y), [x, h, y], {ids: TOKENS})


def test_positions_beside_tokens():
    m = Maker()
    ids = m.tokens(4, 6)
    x = m.embedding(ids, m.weight(50, N, variance=1.0))
    x = m.apply("add", x, m.weight(6, N, variance=0.5))
    y = m.linear(m.apply("tanh", x), N)
    agree(m.graph(y), [x, y], {ids: TOKENS})


@pytest.mark.parametrize("places", [(0, 1, 2, 3, 4, 5), (7,) * 6], ids=["positions", "types"])
def test_some_rows_of_a_table(places):
    """Of a table of 20 rows six are read, once each, or one by all: the others learn nothing."""
    m = Maker()
    ids = m.tokens(4, 6)
    x = m.embedding(ids, m.weight(50, N, variance=1.0))
    numbers = m.node("constant", shape=(6,), dtype="int64", value=places)
    rows = m.embedding(numbers, m.weight(20, N, variance=0.5))
    y = m.linear(m.apply("tanh", m.apply("add", x, rows)), N)
    agree(m.graph(y), [x, y], {ids: TOKENS})


def test_rows_of_constants():
    m = Maker()
    y = m.embedding(m.constant((0, 1, 2), 3), m.weight(8, N, variance=0.5))
    value = run(m.graph(y), {}).values[y]
    assert isinstance(value, Kernel)
    assert value.law.variance == 0.5
    assert value.shape == (3, N)


def test_probability_of_repeats():
    m = Maker()
    ids = m.tokens(4, 6)
    x = m.embedding(ids, m.weight(50, N))
    found = predicted(run(m.graph(x), {ids: InputLaw(tokens=True, repeats=0.3)}), x)
    assert found["example"] == pytest.approx(0.3, abs=0.01)
    assert found["position"] == pytest.approx(0.3, abs=0.01)


def test_what_is_no_token():
    m = Maker()
    x = m.input(4, N)
    y = m.embedding(x, m.weight(50, N))
    assert isinstance(run(m.graph(y), {}).values[y], Unknown)
    ids = m.tokens(4, 6)
    y = m.embedding(ids, m.weight(50, N, law=None))
    found = run(m.graph(y), {ids: TOKENS})
    assert isinstance(found.values[y], Unknown)
    assert isinstance(found.values[ids], Tokens)


def test_known_rows():
    m = Maker()
    ids, table = m.constant((1, 0, 1), 3), m.constant(((1.0, 2.0), (3.0, 5.0)), 2, 2)
    y = m.embedding(ids, table)
    wide = m.reshape(m.broadcast(y, 2, 3, 2, axes=(1, 2)), 6, 2)
    found = run(m.graph(wide), {}).values
    assert found[y].array.tolist() == [[3, 5], [1, 2], [3, 5]]
    assert found[wide].array.tolist() == [[3, 5], [1, 2], [3, 5]] * 2
    large = m.node("constant", shape=(2, 2), mean=0.5, second_moment=3.0)
    y = m.embedding(ids, large)
    assert run(m.graph(y), {}).values[y].second == 3.0
