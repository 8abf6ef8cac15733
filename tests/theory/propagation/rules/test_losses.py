"""Gradients of losses, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted_back

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)
N = 128


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mse"])
@pytest.mark.parametrize("shape", [(8, N), (4, 5, N)])
def test_gradients(loss, shape):
    m = Maker()
    x = m.input(*shape)
    y = m.linear(x, 64, variance=1.5 / N)
    agree(m.graph(y), [y], {x: LAW}, loss=loss)


@pytest.mark.parametrize("function", ["tanh", "relu"])
@pytest.mark.parametrize("outs", [32, 256])
def test_errors_go_along_signals(function, outs):
    """As those of autoencoders do, whose outputs are as many as their inputs: W^T W x has much of x."""
    m = Maker()
    y, before = m.input(8, 256), []
    for width in (256, 256, outs):
        y = m.linear(m.apply(function, y) if before else y, width, variance=1.5 / 256)
        before.append(y)
    agree(m.graph(y), before, loss="mse")


@pytest.mark.parametrize(("window", "channels"), [((1, 1), 256), ((3, 3), 128)])
def test_errors_of_images_go_along_signals(window, channels):
    m = Maker()
    y, before = m.input(4, channels, 8, 8), []
    for _ in range(3):
        y = m.convolution(m.apply("tanh", y) if before else y, channels, window, padding=window[0] // 2)
        before.append(y)
    agree(m.graph(y), before, loss="mse")


@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_a_norm_takes_away_what_errors_have_along_it(kind):
    m = Maker()
    first = m.linear(m.input(4, 3, 512), 512)
    inner = m.apply("tanh", m.linear(m.norm(first, kind, axes=(2,), channel=2), 512))
    stream = m.apply("add", first, inner)
    out = m.linear(m.norm(stream, kind, axes=(2,), channel=2), 512)
    agree(m.graph(out), [first, stream, out], loss="mse", parameters=0.02)  # few positions


@pytest.mark.parametrize("kind", ["cross_entropy", "binary_cross_entropy", "mse"])
def test_losses_that_are_a_part_of_the_graph(kind):
    m = Maker()
    x = m.input(8, N)
    y = m.linear(x, 64)
    end = m.node("loss", y, shape=(), kind=kind, axis=1, reduction="mean", logits=True)
    agree(m.graph(end), [y, end], {x: LAW})


@pytest.mark.parametrize("kind", ["cross_entropy", "binary_cross_entropy", "mse"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_targets_are_what_the_graph_has_of_them(kind, reduction):
    m = Maker()
    x, targets = m.input(8, N), m.input(8, 64)
    y = m.linear(x, 64)
    end = m.node("loss", y, targets, shape=(), kind=kind, axis=1, reduction=reduction, logits=True)
    given = InputLaw(mean=0.4, second_moment=0.7, position=0.5, example=0.3)
    agree(m.graph(end), [y], {x: LAW, targets: given})


@pytest.mark.parametrize("kind", ["binary_cross_entropy", "mse"])
def test_a_constant_target(kind):
    m = Maker()
    x = m.input(8, N)
    y, one = m.linear(x, 64), m.constant(1.0)
    end = m.node("loss", y, one, shape=(), kind=kind, reduction="mean", logits=True)
    agree(m.graph(end), [y], {x: LAW})


@pytest.mark.parametrize("kind", ["cross_entropy", "mse"])
def test_losses_of_each_position(kind):
    m = Maker()
    x = m.input(4, 5, N)
    y = m.linear(x, 64)
    shape = (4, 5) if kind == "cross_entropy" else (4, 5, 64)
    end = m.node("loss", y, shape=shape, kind=kind, axis=2, reduction="none")
    agree(m.graph(end), [y], {x: LAW}, draws=5000)


def test_a_share_of_a_loss_has_that_share_of_the_gradient():
    m = Maker()
    x = m.input(8, N)
    y = m.linear(x, 64)
    ends = [m.node("loss", y, shape=(), kind="mse", reduction=reduction) for reduction in ("mean", "sum")]
    half = m.node("elementwise", ends[0], shape=(), function="multiply", scalars=(0.5, None))
    one, part, total = (predicted_back(run(m.graph(end), {}), y)["q"] for end in (ends[0], half, ends[1]))
    assert part == pytest.approx(one / 4)
    assert total == pytest.approx(one * (8 * 64) ** 2)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("mse", {}, "mse of whole numbers"),
        ("binary_cross_entropy", {"logits": False}, "of what is not a sigmoid"),
    ],
)
def test_what_nobody_knows_of_a_loss(kind, options, words):
    m = Maker()
    x, ids = m.input(8, N), m.tokens(8, 64)
    y = m.linear(x, 64)
    end = m.node("loss", y, ids, shape=(), kind=kind, reduction="mean", **options)
    found = run(m.graph(end), {ids: InputLaw(tokens=True)})
    assert words in found.lost[y]


def test_many_classes():
    """E[(p - y)^2] = (1 - 2 / C + P) / C, near 1 / C."""
    m = Maker()
    x = m.input(8, N)
    y = m.linear(x, 50000)
    found = run(m.graph(y), {x: LAW}, loss="cross_entropy")
    assert predicted_back(found, y)["q"] * 64 * 50000 == pytest.approx(1.0, rel=1e-3)


def test_larger_predictions_have_larger_gradients():
    found = []
    for variance in (0.1, 10.0):
        m = Maker()
        x = m.input(8, N)
        y = m.linear(x, 10, variance=variance / N)
        found.append(predicted_back(run(m.graph(y), {}, loss="cross_entropy"), y)["q"] * 64)
    small, large = found
    assert small == pytest.approx(0.1 * (1 - 2 / 10 + 1.1 / 10), rel=0.02)
    assert large > 1.4 * small


@pytest.mark.parametrize(("classes", "variance", "p"), [(64, 4, 0.1607), (64, 9, 0.3263), (1024, 9, 0.1349)])
def test_predictions_that_few_classes_share(classes, variance, p):
    """E[(p - y)^2] = (1 - 2 / C + P) / C, with P = E sum p^2 by a 15-digit quadrature."""
    m = Maker()
    x = m.input(1, N)
    y = m.linear(x, classes, variance=variance / N)
    found = predicted_back(run(m.graph(y), {}, loss="cross_entropy"), y)["q"]
    assert found * classes - 1 + 2 / classes == pytest.approx(p, rel=5e-3)
