"""Values of different blocks that meet, against simulations."""

import numpy as np
import pytest

from fanin.theory.propagation.alignment import common, moved
from fanin.theory.propagation.draws import Normals
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.signal import Signal
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)
C = 128


@pytest.mark.parametrize("function", ["tanh", "relu"])
def test_an_image_with_borders_and_tokens_that_were_mixed(function):
    """A residual branch over the positions, as in an MLP-Mixer, around what was padded."""
    m = Maker()
    x = m.input(3, C, 6, 6)
    image = m.convolution(x, C, (3, 3), padding=1)
    flat = m.apply(function, m.reshape(image, 3, C, 36))
    mixed = m.linear(m.linear(flat, 36, equation="bcp,qp->bcq"), 36, equation="bcp,qp->bcq")
    both = m.apply("add", flat, mixed)
    after = m.linear(both, C, equation="bcp,dc->bdp")
    agree(m.graph(after), [flat, both, after], {x: LAW})


def test_a_value_that_is_not_normal_keeps_its_rows():
    """Of two functions of the same values, a third one still sees that they are."""
    normals, places = Normals(1 << 12, seed=1), Places((4, 12, 20), 2)
    values = np.maximum(normals.take(12).reshape(-1, 2, 6), 0) * np.sqrt([1, 1, 2, 2, 3, 3])
    signal = Signal(values, places, 64, 8)
    found, _ = moved(signal, Places((36,), 2), normals)
    assert found.values.shape == (1 << 12, 2, 2)
    assert np.min(found.values) == 0
    assert found.q == pytest.approx((4 * 1 + 12 * 2 + 20 * 3) / 36 / 2, rel=0.02)
    one, other = found.values[:, 0, 0], found.values[:, 0, 1]
    levels = np.repeat(np.sqrt([1, 2, 3]), [4, 12, 20])
    apart = (levels.sum() ** 2 - (levels**2).sum()) / (36 * 35) / (2 * np.pi)
    assert np.mean(one * other) == pytest.approx(apart, rel=0.05)


def test_places_that_nothing_has_in_common():
    signals = [Signal(np.ones((4, 2, len(places))), places, 8, 2) for places in (Places((6,)), Places((7,)))]
    assert common(signals) is None
    assert common(signals[:1]) == Places((6,))
    assert common([Signal(np.ones((1, 1, 1)), Places(), 1, 1)]) == Places()
