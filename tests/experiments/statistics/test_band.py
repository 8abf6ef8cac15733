import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fanin.experiments.statistics.band import band

NAN, INF = np.nan, np.inf
curves = arrays(
    float, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.integers(-9, 9).map(float)
)


def column(values, direction):
    return band(np.array(values, float)[:, None], direction)[:, 0].tolist()


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ([5], [5, 5, 5]),
        ([1, 2], [1.5, 1, 2]),
        ([4, 3, 2, 1], [2.5, 1, 4]),
        ([1, 2, 3, 4, 5], [3, 2, 4]),
        (range(100), [49.5, 24, 75]),
    ],
)
def test_the_middle_and_the_quartiles(values, rows):
    assert column(values, "min") == rows


@pytest.mark.parametrize("lost", [NAN, INF, -INF])
def test_a_lost_value_is_the_worst(lost):
    np.testing.assert_equal(column([1, 2, 3, lost], "min"), [2.5, 1, NAN])
    np.testing.assert_equal(column([1, 2, 3, lost], "max"), [1.5, NAN, 3])
    np.testing.assert_equal(column([1, 2, 3, lost], None), [NAN, NAN, NAN])
    np.testing.assert_equal(column([*range(8), lost], "max"), [3, 1, 5])


def test_epochs_do_not_touch_each_other():
    np.testing.assert_equal(band(np.array([[1, NAN], [1, 2], [1, 2]]), None), [[1, NAN]] * 3)


@given(curves, st.randoms())
def test_seeds_have_no_order_and_directions_mirror(values, random):
    shuffled = values[random.sample(range(len(values)), len(values))]
    np.testing.assert_array_equal(band(values, "max"), band(shuffled, "max"))
    np.testing.assert_allclose(band(-values, "min"), -band(values, "max")[[0, 2, 1]], atol=1e-12)


@given(curves)
def test_quartiles_are_runs_around_the_middle(values):
    center, low, high = band(values, "max")
    assert (low <= center + 1e-9).all()
    assert (center <= high + 1e-9).all()
    assert np.isin(low, values).all()
    assert np.isin(high, values).all()
