"""Normal numbers that are uncorrelated with all that were drawn before."""

import numpy as np

from fanin.theory.propagation.draws import Normals
from fanin.theory.propagation.uncorrelated import Uncorrelated

ROWS = 512


def test_all_columns_have_the_moments_of_independent_ones():
    source = Uncorrelated(Normals(ROWS, seed=1))
    drawn = np.concatenate([source.take(columns) for columns in (1, 3, 60)], axis=1)
    np.testing.assert_allclose(drawn.T @ drawn / ROWS, np.eye(64), atol=1e-9)
    np.testing.assert_allclose(np.mean(drawn, axis=0), 0, atol=1e-9)


def test_numbers_stay_normal():
    source = Uncorrelated(Normals(ROWS, seed=1))
    source.take(100)
    drawn = source.take(20)
    assert abs(np.mean(drawn**4) - 3) < 0.2


def test_of_more_columns_than_rows_can_tell_apart_the_rest_is_as_it_comes():
    source, plain = (kind(Normals(ROWS, seed=1)) for kind in (Uncorrelated, lambda normals: normals))
    source.take(ROWS // 4)
    plain.take(ROWS // 4)
    np.testing.assert_array_equal(source.take(8), plain.take(8))
