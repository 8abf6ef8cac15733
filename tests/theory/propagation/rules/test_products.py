"""Products of two signals, and softmax over positions, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import predicted, predicted_back, simulated

LAW = InputLaw(position=0.2, example=0.2)
N, T, HEADS = 256, 12, 8


def _close(found, truth, names, tolerance):
    wrong = [
        f"{name}: {found[name] / truth.value['q']:.4f} for {truth.value[name] / truth.value['q']:.4f}"
        for name in names
        if name in truth.value and abs(found[name] - truth.value[name]) > tolerance * truth.value["q"]
    ]
    assert not wrong, wrong


def _parts(m, x, count=3, gain=1.0):
    return [m.heads(m.linear(x, N, variance=gain / N), HEADS) for _ in range(count)]


def _matmul(m, x, y, equation, *shape):
    return m.node("matmul", x, y, shape=shape, equation=equation)


def _joined(m, heads):
    return m.reshape(m.permute(heads, 0, 2, 1, 3), 4, T, N)


@pytest.mark.parametrize("shared", [False, True])
def test_linear_attention(shared):
    """Keys and values make one matrix of all positions, which queries read; keys may share 1 between them."""
    m = Maker()
    x = m.input(4, T, N)
    query, key, value = _parts(m, x)
    weights = m.softmax(key, axis=2) if shared else m.apply("multiply", key, 1 / T)
    features = N // HEADS
    table = _matmul(m, weights, value, "bhtd,bhte->bhde", 4, HEADS, features, features)
    made = _matmul(m, query, table, "bhtd,bhde->bhte", 4, HEADS, T, features)
    out = m.linear(_joined(m, made), N)
    graph = m.graph(out)
    found, truth = run(graph, {x: LAW}), simulated(graph, {x: LAW}, draws=80)
    for name in (weights, table, made, out):
        _close(predicted(found, name), truth.forward[name], ("q",), 0.05)
    for name in (value, query, key):
        _close(predicted_back(found, name), truth.backward[name], ("q", "position"), 0.05)


def test_a_mean_with_weights_of_its_own():
    """As a global context: one score for each place, of which a softmax weighs them all."""
    m = Maker()
    x = m.input(4, T, N)
    before = m.linear(x, N)
    scores = m.linear(before, 1, variance=1 / N)
    weights = m.softmax(scores, axis=1)
    made = _matmul(m, before, weights, "btc,bto->bco", 4, N, 1)
    out = m.linear(m.reshape(made, 4, N), N)
    graph = m.graph(out)
    found, truth = run(graph, {x: LAW}), simulated(graph, {x: LAW}, draws=200)
    for name in (weights, made, out):
        _close(predicted(found, name), truth.forward[name], ("q", "position"), 0.04)
    _close(predicted_back(found, before), truth.backward[before], ("q",), 0.04)


@pytest.mark.parametrize(("gain", "forward", "backward"), [(0.5, 0.03, 0.07), (2.0, 0.1, 0.2)])
def test_heads_that_talk(gain, forward, backward):
    """Scores of all heads are mixed before the softmax, and weights after it."""
    m = Maker()
    x = m.input(4, T, N)
    query, key, value = _parts(m, x, gain=gain)
    features = N // HEADS
    scores = _matmul(m, query, key, "bhtd,bhsd->bhts", 4, HEADS, T, T)
    scores = m.apply("multiply", scores, features**-0.5)
    mixed = m.linear(scores, HEADS, equation="bhts,gh->bgts", variance=1 / HEADS)
    shares = m.softmax(mixed, axis=3)
    weights = m.linear(shares, HEADS, equation="bhts,gh->bgts", variance=1 / HEADS)
    made = _matmul(m, weights, value, "bhts,bhsd->bhtd", 4, HEADS, T, features)
    out = m.linear(_joined(m, made), N)
    graph = m.graph(out)
    found, truth = run(graph, {x: LAW}), simulated(graph, {x: LAW}, draws=150)
    for name in (scores, mixed, shares, weights, made, out):
        _close(predicted(found, name), truth.forward[name], ("q",), forward)
    for name in (value, query, key):
        _close(predicted_back(found, name), truth.backward[name], ("q",), backward)


def test_products_of_images():
    """Of two layers with borders, of all pairs of places."""
    m = Maker()
    x = m.input(4, 64, 4, 4)
    one, other = (m.reshape(m.convolution(x, 64, (3, 3), padding=1), 4, 64, 16) for _ in range(2))
    made = _matmul(m, one, other, "bct,bcs->bts", 4, 16, 16)
    graph = m.graph(made)
    found, truth = run(graph, {x: LAW}), simulated(graph, {x: LAW}, draws=200)
    _close(predicted(found, made), truth.forward[made], ("q",), 0.06)
    _close(predicted_back(found, one), truth.backward[one], ("q",), 0.06)


def test_what_nobody_knows():
    m = Maker()
    x = m.input(4, T, N)
    one, other = m.linear(x, N), m.linear(x, N)
    itself = _matmul(m, one, one, "btc,bsc->bts", 4, T, T)
    examples = _matmul(m, one, other, "btc,atc->bat", 4, 4, T)
    batch = _matmul(m, one, other, "btc,btd->cd", N, N)
    hidden = m.softmax(m.apply("add", one, m.constant(-1e9)), axis=1)
    for name in (itself, batch, hidden):
        assert isinstance(run(m.graph(name), {}).values[name], Unknown)
    assert not isinstance(run(m.graph(examples), {}).values[examples], Unknown)


def test_positions_that_one_number_weighs():
    """A mean over channels of either sign is what chance leaves of it."""
    m = Maker()
    x = m.input(4, T, N)
    one, other = m.linear(x, N), m.linear(x, N)
    level = m.reduce(one, "mean", (2,), keep=True)
    y = _matmul(m, level, other, "bto,btc->boc", 4, 1, N)
    found, truth = run(m.graph(y), {}), simulated(m.graph(y), {}, draws=400, names=[level, y])
    _close(predicted(found, level), truth.forward[level], ("q",), 0.05)
    _close(predicted(found, y), truth.forward[y], ("q",), 0.12)


@pytest.mark.parametrize("log", [False, True])
def test_softmax_over_steps(log):
    """Of positions that are followed one by one, and are not alike, as the steps of a recurrence."""
    m = Maker()
    x = m.input(4, 8, N)
    parts = [m.slice(m.linear(x, N), 1, step, step + 1) for step in range(8)]
    grown = [m.apply("multiply", part, 0.3 * (1 + step)) for step, part in enumerate(parts)]
    y = m.softmax(m.concat(*grown, axis=1), axis=1, log=log)
    graph = m.graph(y)
    found, truth = (
        run(graph, {x: InputLaw(position=0.4)}),
        simulated(graph, {x: InputLaw(position=0.4)}, draws=60),
    )
    _close(predicted(found, y), truth.forward[y], ("q",), 0.03)
    for part in grown:
        _close(predicted_back(found, part), truth.backward[part], ("q",), 0.05)
