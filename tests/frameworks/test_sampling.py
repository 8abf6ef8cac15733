import numpy as np
import pytest

from fanin import Inputs
from fanin.frameworks.correlations import between_examples, between_positions
from fanin.frameworks.sampling import drawn


def draw(inputs, channel=-1, vocabulary=0):
    return drawn(inputs, np.random.default_rng(0), channel=channel, vocabulary=vocabulary)


@pytest.mark.parametrize(("example", "position"), [(0, 0), (0.6, 0), (0, 0.4), (0.3, 0.7), (1, 1)])
def test_numbers_have_the_correlations_that_were_asked_for(example, position):
    values = draw(Inputs((24, 40, 1500), 0.0, 4.0, example=example, position=position)).astype(float)
    assert np.var(values) == pytest.approx(4, rel=0.08)
    assert between_examples(values) == pytest.approx(example, abs=0.03)
    assert between_positions(values) == pytest.approx(position, abs=0.03)


def test_channels_are_independent_wherever_they_are():
    values = draw(Inputs((8, 500, 6, 6), position=1.0), channel=1)
    assert np.ptp(values, axis=(2, 3)).max() < 1e-6
    assert np.var(values[:, :, 0, 0]) == pytest.approx(1, rel=0.1)


def test_numbers_have_their_mean_and_their_type():
    values = draw(Inputs((64, 64), mean=3.0, variance=0.25, dtype="float16"))
    assert values.dtype == np.float16
    assert np.mean(values) == pytest.approx(3, abs=0.05)


def test_tokens_are_drawn_evenly_or_as_often_alike_as_told():
    even = draw(Inputs((200, 200), tokens=True), vocabulary=50)
    assert set(np.unique(even)) == set(range(50))
    for repeats in (0.02, 0.1, 0.5, 1.0):
        values = draw(Inputs((300, 300), tokens=True, repeats=repeats), vocabulary=100)
        shares = np.bincount(values.ravel(), minlength=100) / values.size
        assert np.sum(shares**2) == pytest.approx(repeats, rel=0.05)


def test_data_are_given_as_they_are():
    data = np.arange(6.0).reshape(2, 3)
    assert draw(Inputs.of(data)) is data
