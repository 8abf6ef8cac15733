"""Rotary position embedding, in the ways in which people write it."""

import numpy as np
import pytest

from fanin.graph.axes import axes_of
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.rotary import turned
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

T, HEADS, SIZE = 6, 2, 8
ANGLES = np.arange(T)[:, None] / 100 ** (np.arange(SIZE // 2) / (SIZE // 2))


def _halves(m, x, angles=ANGLES, scale=1.0):
    """x cos + (-x_2, x_1) sin, as Llama has it."""
    size = m.shape(x)[-1]
    low, high = m.slice(x, 3, 0, size // 2), m.slice(x, 3, size // 2, size)
    other = m.concat(m.apply("negative", high), low, axis=3)
    cosine, sine = (scale * np.concatenate([part, part], 1) for part in (np.cos(angles), np.sin(angles)))
    one = m.apply("multiply", x, m.constant(cosine, *cosine.shape))
    return m.apply("add", one, m.apply("multiply", other, m.constant(sine, *sine.shape)))


def _pairs(m, x, angles=ANGLES):
    """Neighbours, taken apart and stacked again, as RoFormer has it."""
    shape = m.shape(x)
    apart = m.reshape(x, *shape[:-1], shape[-1] // 2, 2)
    one, other = (m.slice(apart, 4, at, at + 1, drop=True) for at in (0, 1))
    cosine, sine = (m.constant(part, *part.shape) for part in (np.cos(angles), np.sin(angles)))
    low = m.apply("subtract", m.apply("multiply", one, cosine), m.apply("multiply", other, sine))
    high = m.apply("add", m.apply("multiply", other, cosine), m.apply("multiply", one, sine))
    stacked = m.concat(*(m.reshape(part, *m.shape(part), 1) for part in (low, high)), axis=4)
    return m.reshape(stacked, *shape)


def _part(m, x):
    """The first half of the features only, as GPT-NeoX has it."""
    size = m.shape(x)[-1]
    half = _halves(m, m.slice(x, 3, 0, size // 2), ANGLES[:, : size // 4])
    return m.concat(half, m.slice(x, 3, size // 2, size), axis=3)


def _attention(turn_query, turn_key, *, read=None):
    m = Maker()
    x = m.input(2, T, HEADS * SIZE)
    query, key, value = (m.heads(m.linear(x, HEADS * SIZE), HEADS) for _ in range(3))
    query, key = turn_query(m, query), turn_key(m, key)
    y = m.attention(query, key, value)
    more = [read(m, key)] if read else []
    return m.graph(y, *more)


def _found(graph):
    return turned(graph, axes_of(graph))


@pytest.mark.parametrize(
    ("turn", "angles"),
    [
        (_halves, ANGLES),
        (_pairs, ANGLES),
        (_part, np.concatenate([ANGLES[:, :2], np.zeros((T, 2))], 1)),
        (lambda m, x: m.apply("multiply", _halves(m, x, scale=1.2), 0.5), ANGLES),
    ],
    ids=["halves", "pairs", "part", "scaled"],
)
def test_angles_are_found(turn, angles):
    graph, turns = _found(_attention(turn, turn))
    (found,) = turns.values()
    for each in found:
        np.testing.assert_allclose(np.exp(1j * each), np.exp(1j * angles), atol=1e-6)
    assert all(node.op not in ("concat", "constant") for node in graph)


def _apart(m, x):
    """Scaled by position, but not turned."""
    table = np.linspace(1, 2, T)[:, None] * np.ones(SIZE)
    return m.apply("add", x, m.apply("multiply", x, m.constant(table, *table.shape)))


@pytest.mark.parametrize(
    ("turns", "read"),
    [
        ((_apart, _apart), None),
        ((_halves, lambda m, x: x), None),
        ((_halves, _halves), lambda m, key: m.apply("tanh", key)),
    ],
    ids=["no rotation", "queries alone", "read elsewhere"],
)
def test_what_is_left_as_it_is(turns, read):
    graph = _attention(*turns, read=read)
    found, none = _found(graph)
    assert not none
    assert found is graph


@pytest.mark.parametrize("sees", ["all", "before", "near"])
@pytest.mark.parametrize("turn", [_halves, _part], ids=["all", "part"])
def test_biases_of_queries_and_keys(turn, sees):
    """Features that turn slowly add up to nothing over the keys, by which a softmax is the same."""
    m = Maker()
    x = m.input(3, T, 128)
    heads = [m.heads(m.linear(x, 128, bias=0.3), 128 // SIZE) for _ in range(3)]
    near = (np.abs(np.subtract.outer(range(T), range(T))) < 2).tolist()
    mask = [m.node("constant", shape=(T, T), value=near, dtype="bool")] if sees == "near" else []
    y = m.attention(*(turn(m, part) for part in heads[:2]), heads[2], *mask, causal=sees == "before")
    out = m.linear(m.reshape(m.permute(y, 0, 2, 1, 3), 3, T, 128), 128)
    law = InputLaw(position=0.3, example=0.3)
    agree(m.graph(out), [y, out], {x: law}, parameters=0.02, draws=1600 if mask else 800)
