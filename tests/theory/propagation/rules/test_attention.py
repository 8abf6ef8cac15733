"""Attention, against simulations."""

from dataclasses import replace

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted, predicted_back, simulated

LAW = InputLaw(second_moment=1.0, position=0.2, example=0.2)
N, T, HEADS = 512, 12, 8


def _layer(m, x, *, causal=False, key_heads=HEADS, scale=None, gain=1.0):
    """Return queries, keys, values and the outputs of an attention layer."""
    features = N // HEADS
    query = m.linear(x, N, variance=gain / N)
    key = m.linear(x, key_heads * features, variance=gain / N)
    value = m.linear(x, key_heads * features)
    heads = m.attention(
        m.heads(query, HEADS), m.heads(key, key_heads), m.heads(value, key_heads), causal=causal, scale=scale
    )
    y = m.reshape(m.permute(heads, 0, 2, 1, 3), *m.shape(x))
    return query, key, value, heads, m.linear(y, N)


def _close(found, truth, names, tolerance):
    wrong = [
        f"{name}: {found[name] / truth.value['q']:.4f} for {truth.value[name] / truth.value['q']:.4f}"
        for name in names
        if abs(found[name] - truth.value[name]) > tolerance * truth.value["q"]
    ]
    assert not wrong, wrong


@pytest.mark.parametrize(
    "options",
    [{}, {"causal": True}, {"gain": 2.0}, {"key_heads": 2}, {"causal": True, "key_heads": 4, "gain": 1.5}],
    ids=str,
)
def test_layers(options):
    m = Maker()
    x = m.input(4, T, N)
    query, key, value, heads, out = _layer(m, x, **options)
    graph = m.graph(out)
    found, truth = run(graph, {x: LAW}), simulated(graph, {x: LAW}, draws=80)
    moments = ("q", "example", "position", "both")
    for name in (query, key, value):
        _close(predicted(found, name), truth.forward[name], moments, 0.02)
    for name in (heads, out):
        _close(predicted(found, name), truth.forward[name], moments, 0.03)
    _close(predicted_back(found, heads), truth.backward[heads], moments, 0.02)
    _close(predicted_back(found, value), truth.backward[value], moments, 0.03)
    for name in (query, key):
        _close(predicted_back(found, name), truth.backward[name], ("q",), 0.05)
    _close(predicted_back(found, x), truth.backward[x], ("q",), 0.05)


@pytest.mark.parametrize("causal", [False, True])
def test_few_channels(causal):
    """Products of n channels vary by 1 / n: keys that overlap are weighed alike, and gradients with them."""
    m = Maker()
    x = m.input(4, T, 64)
    parts = [m.heads(m.linear(x, 64), 4) for _ in range(3)]
    made = m.attention(*parts, causal=causal)
    law = {x: InputLaw()}
    agree(m.graph(made), [made, *parts[:2]], law, tolerance=0.025, parameters=0.02, draws=4000)


def test_what_one_position_attends_to():
    """The first position of a causal layer sees itself only."""
    m = Maker()
    x = m.input(4, T, N)
    out = _layer(m, x, causal=True)[-1]
    first = m.slice(out, 1, 0, 1, drop=True)
    found = run(m.graph(first), {x: LAW})
    assert predicted(found, first)["q"] == pytest.approx(1.0, rel=0.01)


def test_uniform_weights():
    """Queries of 0 attend to all positions alike."""
    m = Maker()
    x = m.input(4, T, N)
    *_, value, heads, _ = _layer(m, x, gain=0.0)
    found = run(m.graph(heads), {x: InputLaw()})
    assert predicted(found, heads)["q"] == pytest.approx(1 / T, rel=0.02)
    # Each value's gradient is the mean of all gradients.
    assert predicted_back(found, value)["q"] == pytest.approx(1 / T, rel=0.02)


def test_attention_to_other_positions():
    m = Maker()
    x, memory = m.input(4, T, N), m.input(4, 20, N)
    query = m.heads(m.linear(x, N), HEADS)
    key, value = (m.heads(m.linear(memory, N), HEADS) for _ in range(2))
    heads = m.attention(query, key, value)
    graph = m.graph(heads)
    laws = {x: LAW, memory: LAW}
    found, truth = run(graph, laws), simulated(graph, laws, draws=80)
    _close(predicted(found, heads), truth.forward[heads], ("q", "example", "position"), 0.03)
    _close(predicted_back(found, value), truth.backward[value], ("q", "example", "position"), 0.03)


def _masked(masks, *, causal=False, gain=2.0, window=0, cap=0.0):
    """Hold attention with masks against a simulation."""
    m = Maker()
    x = m.input(4, T, N)
    query, key = (m.heads(m.linear(x, N, variance=gain / N), HEADS) for _ in range(2))
    value = m.heads(m.linear(x, N), HEADS)
    made = m.attention(query, key, value, *masks(m), causal=causal)
    more = {"window": window} if window else {"cap": cap} if cap else {}
    m.nodes[-1] = replace(m.nodes[-1], attributes={**m.nodes[-1].attributes, **more})
    graph = m.graph(made)
    found, truth = run(graph, {x: LAW}), simulated(graph, {x: LAW}, draws=80)
    _close(predicted(found, made), truth.forward[made], ("q", "example", "position"), 0.03)
    _close(predicted_back(found, value), truth.backward[value], ("q", "example", "position"), 0.04)
    for name in (query, key):
        _close(predicted_back(found, name), truth.backward[name], ("q",), 0.06)
    for name in ("w3",) if len(truth.parameters) > 3 else ():
        total = sum(part.second_moment for part in found.context.gradients[name])
        assert total == pytest.approx(truth.parameters[name].value["q"], rel=0.06)


def _bools(m):
    """Keys that are near, of every second window."""
    near = [[abs(i - j) < 4 for i in range(T)] for j in range(T)]
    return [_known(m, [[near], [[[True] * T] * T], [near], [[[True] * T] * T]], 4, 1, T, T, dtype="bool")]


def _known(m, value, *shape, dtype="float32"):
    return m.node("constant", shape=shape, value=value, dtype=dtype)


def _slopes(m):
    """ALiBi: the farther away a key is, the lower, by as much as each head has it."""
    return [_known(m, [[[-(2.0**-h) * (T - j) for j in range(T)]] for h in range(HEADS)], HEADS, 1, T)]


def _table(m):
    return [m.weight(HEADS, T, T, variance=0.5), *_slopes(m)]


def _places(m):
    """A table of relative places, each row of which is there for several pairs."""
    ids = _known(m, [[i - j + T - 1 for i in range(T)] for j in range(T)], T, T, dtype="int64")
    rows = m.embedding(ids, m.weight(2 * T - 1, HEADS, variance=0.5))
    return [m.permute(rows, 2, 0, 1)]


@pytest.mark.parametrize(
    ("masks", "options"),
    [
        (_bools, {}),
        (_slopes, {"causal": True}),
        (_table, {}),
        (_places, {"gain": 1.0}),
        (lambda m: [], {"causal": True, "window": 3}),
        (lambda m: [], {"cap": 0.7, "gain": 3.0}),
    ],
    ids=["bools", "slopes", "table", "places", "window", "cap"],
)
def test_masks(masks, options):
    _masked(masks, **options)


def test_cosines():
    """Few features, of which products vary more where their length does."""
    m = Maker()
    x = m.input(4, T, N)
    features = 16
    heads = N // features

    def unit(x):
        apart = m.permute(m.reshape(x, 4, T, heads, features), 0, 2, 1, 3)
        return m.apply("multiply", m.norm(apart, "rms", axes=(3,), channel=3), features**-0.5)

    query, key = (unit(m.linear(x, N)) for _ in range(2))
    value = m.permute(m.reshape(m.linear(x, N), 4, T, heads, features), 0, 2, 1, 3)
    temperature = m.apply("exp", m.weight(heads, 1, 1, variance=0.0, mean=2.3))
    made = m.attention(m.apply("multiply", query, temperature), key, value, scale=1.0)
    graph = m.graph(made)
    found, truth = run(graph, {x: LAW}), simulated(graph, {x: LAW}, draws=80)
    _close(predicted(found, made), truth.forward[made], ("q", "example", "position"), 0.03)
    _close(predicted_back(found, value), truth.backward[value], ("q", "example", "position"), 0.04)
    _close(predicted_back(found, key), truth.backward[key], ("q",), 0.06)


@pytest.mark.parametrize("masked", [False, True])
def test_windows(masked):
    """Each query sees the six keys of its window, and of the last window not those of the other half."""
    m = Maker()
    x = m.input(4, 3 * 6, N)

    def heads(x):
        return m.permute(m.reshape(x, 4 * 3, 6, HEADS, N // HEADS), 0, 2, 1, 3)

    query, key, value = (m.linear(x, N, variance=gain / N) for gain in (2.0, 2.0, 1.0))
    halves = [
        [-100.0 * (w == 2 and (i < 3) != (j < 3)) for i in range(6)] for w in range(3) for j in range(6)
    ]
    mask = [_known(m, [[halves[6 * w : 6 * w + 6]] for w in range(3)] * 4, 12, 1, 6, 6)] if masked else []
    made = m.attention(heads(query), heads(key), heads(value), *mask)
    y = m.reshape(m.permute(made, 0, 2, 1, 3), 4, 18, N)
    out = m.linear(m.apply("add", x, y), N)
    graph = m.graph(out)
    found, truth = run(graph, {x: LAW}), simulated(graph, {x: LAW}, draws=80)
    moments = ("q", "example", "position", "both")
    for name in (made, out):
        _close(predicted(found, name), truth.forward[name], moments, 0.03)
    _close(predicted_back(found, value), truth.backward[value], moments, 0.03)
    for name in (query, key):
        _close(predicted_back(found, name), truth.backward[name], ("q", "position"), 0.05)
    _close(predicted_back(found, x), truth.backward[x], ("q",), 0.03)


@pytest.mark.parametrize("gain", [0.3, 3.0])
def test_attention_between_channels(gain):
    """Over all places of an image, as XCiT has it."""
    m = Maker()
    image = m.convolution(m.input(4, 16, 3, 4), N, (3, 3), padding=1)
    x = m.permute(m.reshape(image, 4, N, 12), 0, 2, 1)
    query, key, value = (m.linear(x, N, variance=v / N) for v in (gain, gain, 1.0))

    def heads(name):
        return m.permute(m.reshape(name, 4, 12, HEADS, N // HEADS), 0, 2, 3, 1)

    made = m.attention(*map(heads, (query, key, value)), scale=12**-0.5)
    y = m.reshape(m.permute(made, 0, 3, 1, 2), 4, 12, N)
    out = m.linear(y, N)
    graph = m.graph(out)
    found, truth = run(graph, {}), simulated(graph, draws=150)
    moments = ("q", "example", "position", "both")
    for name in (made, out):
        _close(predicted(found, name), truth.forward[name], moments, 0.04)
    _close(predicted_back(found, value), truth.backward[value], moments, 0.06)
    for name in (query, key):
        _close(predicted_back(found, name), truth.backward[name], ("q",), 0.08)


def test_attention_between_channels_that_is_masked():
    m = Maker()
    x = m.permute(
        m.reshape(m.convolution(m.input(4, 16, 3, 4), N, (1, 1)), 4, HEADS, N // HEADS, 12), 0, 1, 2, 3
    )
    made = m.attention(x, x, x, m.weight(N // HEADS, N // HEADS))
    value = run(m.graph(made), {}).values[made]
    assert isinstance(value, Unknown)
    assert "channels" in value.reason


def test_what_no_windows_are():
    """Queries of windows that all see the same keys."""
    m = Maker()
    x = m.input(4, 18, N)
    query = m.permute(m.reshape(m.linear(x, N), 4, 3, 6, HEADS, N // HEADS), 0, 1, 3, 2, 4)
    key = m.permute(m.reshape(m.linear(x, N), 4, 1, 18, HEADS, N // HEADS), 0, 1, 3, 2, 4)
    made = m.attention(query, key, key)
    value = run(m.graph(made), {}).values[made]
    assert isinstance(value, Unknown)
    assert "windows" in value.reason


def test_unknown_mask():
    m = Maker()
    x = m.input(4, T, N)
    one = m.heads(m.linear(x, N), HEADS)
    mask = m.node("constant", shape=(T, T), mean=-3.0, second_moment=27.0)
    heads = m.attention(one, one, one, mask)
    value = run(m.graph(heads), {}).values[heads]
    assert isinstance(value, Unknown)
    assert "mask" in value.reason


def test_learned_queries():
    """As a Perceiver, DETR or a pooling layer has them: the same for all examples."""
    m = Maker()
    x = m.input(4, T, N)
    features = N // HEADS
    key, value = (m.heads(m.linear(x, N), HEADS) for _ in range(2))
    learned = m.weight(1, HEADS, 5, features, variance=1.5)
    query = m.node("broadcast", learned, shape=(4, HEADS, 5, features), axes=(0, 1, 2, 3))
    heads = m.attention(query, key, value)
    graph = m.graph(heads)
    found, truth = run(graph, {x: LAW}), simulated(graph, {x: LAW}, draws=150, names=[heads, key, value])
    _close(predicted(found, heads), truth.forward[heads], ("q", "example", "position", "both"), 0.03)
    _close(predicted_back(found, value), truth.backward[value], ("q",), 0.04)
    _close(predicted_back(found, key), truth.backward[key], ("q",), 0.06)
