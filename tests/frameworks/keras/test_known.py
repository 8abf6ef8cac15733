"""fanin's draws of Keras' own initializers follow what Keras itself draws."""

import keras
import numpy as np
import pytest
from scipy import stats

from fanin.frameworks.keras.known import bare, known_distribution, shape_fans
from fanin.schemes.draw import draw, draw_many

init = keras.initializers

CONTINUOUS = [
    init.RandomNormal(mean=0.1, stddev=0.3),
    init.RandomUniform(-0.2, 0.4),
    init.TruncatedNormal(stddev=0.5),
    init.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
    init.VarianceScaling(0.5, "fan_avg", "uniform"),
    init.VarianceScaling(1.0, "fan_in", "truncated_normal"),
    init.GlorotNormal(),
    init.GlorotUniform(),
    init.HeNormal(),
    init.HeUniform(),
    init.LecunNormal(),
    init.LecunUniform(),
]


@pytest.mark.parametrize("initializer", CONTINUOUS, ids=lambda i: type(i).__name__)
@pytest.mark.parametrize("shape", [(200, 150), (3, 3, 64, 50)], ids=str)
def test_the_distribution_is_keras_own(initializer, shape):
    mine = draw(known_distribution(initializer, shape), bare("w", shape), 0).ravel()
    theirs = np.asarray(initializer(shape)).ravel()
    assert mine.dtype == np.float32
    assert stats.ks_2samp(mine, theirs).pvalue > 1e-4
    assert np.std(mine) == pytest.approx(np.std(theirs), rel=0.03)


@pytest.mark.parametrize("initializer", [init.Zeros(), init.Ones(), init.Constant(-1.5), init.Identity(2.0)])
def test_constants_are_equal(initializer):
    mine = draw(known_distribution(initializer, (4, 4)), bare("w", (4, 4)), 0)
    np.testing.assert_array_equal(mine, initializer((4, 4)))


@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (3, 3, 4, 6)], ids=str)
def test_orthogonal_matrices_are_orthogonal_and_uniform(shape):
    distribution = known_distribution(init.Orthogonal(gain=2.0), shape)
    (draws,) = draw_many([distribution], bare("w", shape), range(2000))
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    matrix = draws[0].reshape(rows, columns).astype(float)
    gram = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    np.testing.assert_allclose(gram, 4 * np.eye(min(rows, columns)), atol=1e-5)
    # Haar: every entry has mean 0 and second moment gain^2 / larger side.
    entries = draws.reshape(2000, -1)
    np.testing.assert_allclose(entries.mean(0), 0, atol=5 * 2 / np.sqrt(2000))
    np.testing.assert_allclose((entries**2).mean(0), 4 / max(rows, columns), rtol=0.25)


def test_truncation_is_exact():
    shape = (500, 500)
    values = draw(known_distribution(init.TruncatedNormal(stddev=1.0), shape), bare("w", shape), 0)
    assert np.abs(values).max() <= 2
    assert np.abs(values).max() > 1.99
    assert np.std(values) == pytest.approx(0.87962566103423978, rel=0.01)


def test_what_is_not_keras_own_is_unknown():
    class Mine(init.HeNormal):
        pass

    assert known_distribution(Mine(), (3, 3)) is None
    assert known_distribution(lambda shape, dtype=None: None, (3, 3)) is None


@pytest.mark.parametrize("shape", [(), (7,), (3, 4), (5, 3, 4), (2, 2, 3, 4)])
def test_fans_are_those_keras_takes_from_a_shape(shape):
    from keras.src.initializers.random_initializers import compute_fans

    assert shape_fans(shape) == compute_fans(shape)
