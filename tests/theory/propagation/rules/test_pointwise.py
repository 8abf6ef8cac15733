"""Functions of elements, against quadrature and simulations."""

import numpy as np
import pytest
from scipy.special import digamma, gamma

from fanin.graph.signal import Law
from fanin.theory.catalogue import CATALOGUE
from fanin.theory.moments import moments
from fanin.theory.names import named
from fanin.theory.panels import resolve
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted, predicted_back

LAW = InputLaw(mean=0.0, second_moment=1.0, position=0.2, example=0.2)
N = 256


def test_sums_of_functions_of_one_signal():
    m = Maker()
    first = m.linear(m.input(4, 6, N), N)
    both = m.apply("add", m.apply("tanh", first), m.apply("silu", first))
    out = m.linear(both, N)
    agree(m.graph(out), [both, out, first], {"input_0": LAW}, parameters=0.02)


def test_slopes_without_bound():
    """Of sqrt(relu(x)) no gradient is finite, and of log(abs(x)) no E[f'^2]; values are known."""
    m = Maker()
    first = m.linear(m.input(4, N), N)
    root = m.apply("sqrt", m.apply("relu", first))
    y = m.apply("add", m.apply("log", m.apply("abs", first)), root)
    out = m.apply("hardtanh", m.linear(y, N))
    found = run(m.graph(out), {})
    # E[log(z)^2] + 2 E[log(z) sqrt(z)] / 2 + E[z] / 2 for z = |x|, in closed form.
    roots = 2 ** (1 / 4) * gamma(3 / 4) / np.sqrt(np.pi)
    logs = roots * (np.log(2) + digamma(3 / 4)) / 2
    squares = ((np.euler_gamma + np.log(2)) ** 2 + np.pi**2 / 2) / 4
    assert predicted(found, y)["q"] == pytest.approx(squares + logs + 1 / np.sqrt(2 * np.pi), rel=2e-3)
    assert np.isfinite(predicted(found, out)["q"])


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_activations_against_quadrature(name):
    m = Maker()
    x = m.input(4, 1 << 20)
    y = m.apply(name, x)
    found = run(m.graph(y), {})
    truth = moments(named(name), resolve(named(name)))
    got = predicted(found, y)
    assert got["q"] == pytest.approx(truth.second, rel=2e-2 if name == "exp" else 1e-3)
    assert got["mean"] == pytest.approx(truth.mean, abs=1e-3)
    if name != "exp" and truth.derivative_second and np.isfinite(truth.derivative_second):
        assert predicted_back(found, x)["q"] == pytest.approx(truth.derivative_second, rel=2e-3)


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "silu", "hard_tanh", "abs", "sin", "square"])
def test_correlations_of_activations(name):
    m = Maker()
    x = m.linear(m.input(4, 3, N), N)
    y = m.apply(name, x)
    agree(m.graph(y), [x, y], {"input_0": LAW})


@pytest.mark.parametrize(("name", "argument"), [("leaky_relu", 0.3), ("elu", 0.5), ("celu", 2.0)])
def test_arguments(name, argument):
    m = Maker()
    x = m.input(4, N)
    y = m.apply(name, x, arguments=(argument,))
    agree(m.graph(y), [x, y], {x: LAW})


def _chain(make, shape=(4, 3, N), **options):
    m = Maker()
    x = m.input(*shape)
    y = make(m, x)
    agree(m.graph(y), [x, y], {x: LAW}, **options)


def test_sum_of_independent_values():
    _chain(lambda m, x: m.apply("add", m.linear(x, N), m.linear(x, N, variance=2 / N)))


def test_sum_of_a_value_and_its_function():
    _chain(lambda m, x: m.apply("add", x, m.apply("tanh", x)))


def test_sum_with_itself():
    _chain(lambda m, x: m.apply("add", x, x))


def test_difference_that_vanishes():
    m = Maker()
    x = m.input(4, N)
    y = m.apply("subtract", x, x)
    found = run(m.graph(y), {})
    assert predicted(found, y)["q"] == 0
    assert predicted_back(found, x)["q"] == 0


@pytest.mark.parametrize("name", ["multiply", "subtract", "maximum", "minimum"])
def test_functions_of_two_values(name):
    _chain(lambda m, x: m.apply(name, m.linear(x, N), m.linear(x, N)))


def test_gate():
    def gate(m, x):
        return m.apply("multiply", m.apply("silu", m.linear(x, N)), m.linear(x, N))

    _chain(gate, (4, 2, 1024))


def test_gate_of_slices():
    def glu(m, x):
        y = m.linear(x, 2 * N)
        return m.apply("multiply", m.slice(y, 2, 0, N), m.apply("sigmoid", m.slice(y, 2, N, 2 * N)))

    _chain(glu)


def test_gate_of_what_feeds_the_gate():
    _chain(lambda m, x: m.apply("multiply", x, m.apply("sigmoid", x)))


@pytest.mark.parametrize(
    ("function", "operands"),
    [
        ("add", ("x", 0.5)),
        ("multiply", (0.5, "x")),
        ("subtract", (1.0, "x")),
        ("divide", ("x", 3.0)),
        ("maximum", ("x", 0.0)),
        ("where", ("mask", "x", 0.1)),
    ],
)
def test_numbers(function, operands):
    def with_number(m, x):
        names = {"x": x, "mask": m.apply("greater", x, 0.3)}
        return m.apply(function, *(names.get(operand, operand) for operand in operands))

    _chain(with_number)


def test_clip_and_powers():
    _chain(lambda m, x: m.apply("clip", x, arguments=(-0.5, 1.0)))
    _chain(lambda m, x: m.apply("integer_power", x, arguments=(3,)))


# Weights that are used element by element


@pytest.mark.parametrize("shape", [(N,), (3, N)], ids=str)
def test_added_weights(shape):
    """Biases of channels, tables of positions."""
    _chain(
        lambda m, x: m.linear(m.apply("add", x, m.weight(*shape, variance=0.5)), N),
    )


def test_scale_of_each_channel():
    """As LayerScale: gamma x, and its gradient is a sum over places."""
    _chain(lambda m, x: m.apply("multiply", x, m.weight(N, mean=0.1, variance=0.0)))
    _chain(lambda m, x: m.apply("multiply", x, m.weight(N, mean=0.5, variance=0.3)))


def test_a_scale_of_zero():
    """As a zero-initialized branch: nothing comes out, and only the scale learns."""

    def zeroed(m, x):
        branch = m.apply("multiply", m.linear(x, N), m.weight(N, mean=0.0, variance=0.0))
        return m.apply("add", x, branch)

    _chain(zeroed)


def test_low_rank_branch():
    """As LoRA: of a product of two weights one of which is 0 only the zero one learns."""

    def adapted(m, x):
        y = m.linear(x, N)
        low = m.linear(m.linear(x, 64), N, variance=0.0)
        return m.apply("add", y, m.apply("multiply", low, 2.0))

    _chain(adapted)


def test_rotations_by_place():
    """As rotary tables: x cos + (-x_2, x_1) sin, cos and sin of positions and channels."""
    half, positions = 128, 16
    angles = np.outer(np.arange(positions), 1 / 100 ** (np.arange(half) / half))
    both = np.concatenate([angles, angles], axis=1)
    cos, sin = (tuple(map(tuple, table.tolist())) for table in (np.cos(both), np.sin(both)))

    def turned(m, x):
        low, high = m.slice(x, 2, 0, half), m.slice(x, 2, half, 2 * half)
        aside = m.concat(m.apply("negative", high), low, axis=2)
        ahead = m.apply("multiply", x, m.constant(cos, positions, 2 * half))
        return m.apply("add", ahead, m.apply("multiply", aside, m.constant(sin, positions, 2 * half)))

    m = Maker()
    x = m.input(2, positions, 2 * half)
    y = m.linear(turned(m, m.linear(x, 2 * half)), 2 * half)
    found = run(m.graph(y), {})
    assert predicted(found, y)["q"] == pytest.approx(1.0, rel=0.01)
    assert predicted_back(found, x)["q"] == pytest.approx(1.0, rel=0.01)


def test_constants_of_two_places():
    table = np.cos(np.outer(np.arange(2), 1 / 10 ** (np.arange(N) / N)))
    constant = tuple(map(tuple, table.tolist()))
    _chain(lambda m, x: m.apply("multiply", x, m.constant(constant, 2, N)), (4, 2, N))


def test_function_of_weights():
    """As a weight that is scaled before it is used."""

    def normed(m, x):
        kernel = m.apply(
            "multiply", m.weight(192, N, variance=1.0), m.weight(192, 1, mean=0.05, variance=0.0)
        )
        return m.node("linear", x, kernel, shape=(4, 3, 192), equation="abc,dc->abd")

    m = Maker()
    x = m.input(4, 3, N)
    y = normed(m, x)
    found = run(m.graph(y), {x: LAW})
    assert predicted(found, y)["q"] == pytest.approx(N * 0.05**2, rel=0.01)


# What is not known


def test_unknown_function():
    m = Maker()
    x = m.input(4, N)
    y = m.apply("zeta", x)
    assert run(m.graph(y), {}).values[y] == Unknown(f"{y}: no rule for zeta")


def test_what_is_not_finite():
    m = Maker()
    x = m.input(4, N)
    y = m.apply("log", x)
    value = run(m.graph(y), {}).values[y]
    assert isinstance(value, Unknown)
    assert "not finite" in value.reason


def test_function_of_a_weight_of_unknown_law():
    m = Maker()
    x = m.input(4, N)
    w = m.weight(N, law=None)
    y = m.apply("add", x, w)
    value = run(m.graph(y), {}).values[y]
    assert isinstance(value, Unknown)
    assert "w0" in value.reason


def test_function_of_tokens():
    m = Maker()
    ids = m.tokens(4, 6)
    y = m.apply("add", ids, 1.0)
    value = run(m.graph(y), {ids: InputLaw(tokens=True)}).values[y]
    assert isinstance(value, Unknown)


def test_a_law_of_weights_made_by_a_function():
    m = Maker()
    y = m.apply("exp", m.weight(N, N, variance=0.25))
    law = run(m.graph(y), {}).values[y].law
    assert isinstance(law, Law)
    assert law.mean == pytest.approx(np.exp(0.125), rel=1e-3)
    assert law.second_moment == pytest.approx(np.exp(0.5), rel=1e-2)


def test_a_gate_of_what_is_zero():
    """A layer that starts as 0, as last ones of residual branches may: its gate's gradient is 0."""
    m = Maker()
    x = m.input(4, 64)
    gate = m.apply("sigmoid", m.linear(x, 64))
    y = m.apply("multiply", m.linear(x, 64, variance=0.0), gate)
    found = run(m.graph(m.apply("add", x, y)), {})
    assert predicted_back(found, gate)["q"] == 0.0
    assert sum(part.second_moment for part in found.context.gradients["w0"]) == 0.0
    assert sum(part.second_moment for part in found.context.gradients["w1"]) > 0.0


@pytest.mark.parametrize("shape", [(4, N), (4, 3, N)], ids=["examples", "positions"])
def test_a_channel_that_weighs_all_others(shape):
    """Its gradient sums over all of them."""
    m = Maker()
    x = m.input(*shape)
    score = m.apply("sigmoid", m.linear(x, 1))
    y = m.apply("multiply", score, m.linear(x, N))
    agree(m.graph(y), [score, y], {x: LAW}, tolerance=0.03)  # one channel: it takes many networks
