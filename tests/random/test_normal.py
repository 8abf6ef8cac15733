import mpmath
import numpy as np
import pytest
from scipy import special

from fanin.random.normal import CENTER, FAR, center, far_tail, minus_two_log, tail


def minus_two_log_tail(z):
    return -2 * special.log_ndtr(-z)


def test_the_center_is_right_to_a_tenth_of_float32s_rounding():
    q = np.linspace(-CENTER, CENTER, 100_001)
    q = q[np.abs(q) > 1e-6]  # where scipy has digits itself
    np.testing.assert_allclose(center(q), special.ndtri(0.5 + q), rtol=1.6e-9)


def test_the_tail_is_right_to_a_tenth_of_float32s_rounding():
    z = np.linspace(2.0, 40, 100_001)
    np.testing.assert_allclose(tail(np.sqrt(minus_two_log_tail(z))), z, rtol=1.6e-9)


def test_the_far_tail_goes_on_where_the_tail_ends():
    z = np.geomspace(FAR, 1e8, 10_001)
    np.testing.assert_allclose(far_tail(minus_two_log_tail(z)), z, rtol=1e-10)


def test_the_pieces_meet():
    p = 0.5 - CENTER
    np.testing.assert_allclose(-center(-CENTER), tail(np.sqrt(-2 * np.log(p))), rtol=3e-9)
    y = minus_two_log_tail(FAR + 1)
    np.testing.assert_allclose(tail(np.sqrt(y)), far_tail(y), rtol=3e-9)


@pytest.mark.parametrize("exponent", [6, 17, 33, 65])
def test_extreme_probabilities_against_arbitrary_precision(exponent):
    z = tail(np.sqrt(minus_two_log(2.0**-exponent)))
    with mpmath.workdps(40):
        p = mpmath.erfc(mpmath.mpf(z) / mpmath.sqrt(2)) / 2
        error = (p * mpmath.mpf(2) ** exponent - 1) / z**2  # of z, since p changes by -z dz
    assert abs(error) < 1.6e-9


def test_the_logarithm_needs_no_library():
    p = np.concatenate([np.geomspace(1e-300, 1, 10_001), 1 - np.geomspace(1e-16, 0.9, 1001)])
    np.testing.assert_allclose(minus_two_log(p), -2 * np.log(p), rtol=1e-9, atol=0)


def test_the_center_is_odd_and_vanishes_at_the_median():
    q = np.linspace(0, CENTER, 1001)
    np.testing.assert_array_equal(center(-q), -center(q))
    assert center(0.0) == 0
