"""Recurrent layers, against simulations."""

import numpy as np
import pytest

from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import joined
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.steps import split_up
from fanin.theory.propagation.run import run
from theory.propagation.graphs import Maker
from theory.propagation.simulation import predicted, predicted_back, simulated

N, STEPS, BATCH = 64, 12, 6
GATES = {"lstm": ("input", "forget", "cell", "output"), "gru": ("reset", "update", "new"), "rnn": ("all",)}


def _layers(kind, depth=2):
    m = Maker()
    x = m.input(BATCH, STEPS, N)
    size = len(GATES[kind]) * N
    for _ in range(depth):
        kernels = [m.weight(size, N, variance=1 / N) for _ in range(2)]
        biases = [m.weight(size, variance=0.0) for _ in range(2)]
        x = m.node(
            "recurrent",
            x,
            *kernels,
            *biases,
            shape=(BATCH, STEPS, N),
            kind=kind,
            layers=1,
            bidirectional=False,
            batch_first=True,
            nonlinearity="tanh",
            weights=(("kernel", "recurrent", "bias", "recurrent_bias"),),
            gates=GATES[kind],
            reset_after=True,
            states=0,
            returns="outputs",
        )
    return m, x


def _gradients(found):
    return {
        name: sum(part.second_moment for part in parts) for name, parts in found.context.gradients.items()
    }


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_gradients_of_weights(kind):
    m, y = _layers(kind)
    graph = m.graph(y)
    found = _gradients(run(graph, {}, rows=4096))
    truth = simulated(graph, draws=300).parameters
    for name, measured in truth.items():
        assert measured.error["q"] < 0.02 * measured.value["q"]
        assert found[name] == pytest.approx(measured.value["q"], rel=0.08), name


@pytest.mark.parametrize("loss", [None, "mse"])
def test_few_rows_say_the_same(loss):
    """Gradients of different examples are independent, which sums over all pairs of them have to know."""
    m, y = _layers("gru")
    graph = m.graph(y)
    found = [_gradients(run(graph, {}, rows=512, seed=seed, loss=loss)) for seed in range(6)]
    for name in found[0]:
        values = [each[name] for each in found]
        assert np.std(values) < 0.12 * np.mean(values), name


def test_rows_of_an_image():
    """Each row is a sequence of its own, whose steps were not told apart before."""
    m, rows, columns = Maker(), 3, 5
    x = m.input(4, N, rows, columns)
    image = m.apply("tanh", m.convolution(x, N, (1, 1)))
    sequences = m.reshape(m.permute(image, 0, 2, 3, 1), 4 * rows, columns, N)
    kernels, biases = (
        (m.weight(N, N, variance=1 / N), m.weight(N, N, variance=0.5 / N)),
        (m.weight(N), m.weight(N)),
    )
    y = m.node(
        "recurrent",
        sequences,
        *kernels,
        *biases,
        shape=(4 * rows, columns, N),
        kind="rnn",
        layers=1,
        bidirectional=False,
        batch_first=True,
        nonlinearity="tanh",
        weights=(("kernel", "recurrent", "bias", "recurrent_bias"),),
        gates=("all",),
        reset_after=True,
        states=0,
        returns="outputs",
    )
    z = m.linear(m.reshape(y, 4, rows * columns, N), N)
    graph = m.graph(z)
    found, truth = run(graph, {}), simulated(graph, draws=400)
    for name in (image, y, z):
        assert predicted(found, name)["q"] == pytest.approx(truth.forward[name].value["q"], rel=0.04)
        assert predicted_back(found, name)["q"] == pytest.approx(truth.backward[name].value["q"], rel=0.06)
    gradients = _gradients(found)
    for name, measured in truth.parameters.items():
        assert gradients[name] == pytest.approx(measured.value["q"], rel=0.1), name


def test_what_examples_have_in_common():
    places = Places((3,), 2)
    own, level = np.array([[2.0, 0.3], [0.3, 2.0]]), np.array([[0.5, 0.2], [0.2, 0.5]])
    slope = np.random.default_rng(0).random((16, 2, 2))
    whole = Cotangent((Part(slope, joined(own + level, level)), Part(slope, joined(own, 0 * own))))
    (mine, apart), (common, together) = split_up(whole, places)
    assert (apart, together) == (False, True)
    assert mine.covariance(places)[0, :, 1] == pytest.approx(0.0)
    assert mine.covariance(places) + common.covariance(places) == pytest.approx(whole.covariance(places))
    assert [together for _, together in split_up(Cotangent(whole.parts[1:]), places)] == [False]
