import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from fanin.errors import FaninError
from fanin.random.fill import fill_normal, fill_truncated_normal, fill_uniform
from fanin.random.law import COARSE, law
from fanin.random.philox import WORD, words
from fanin.random.plain import standard

BOUNDS = [
    (-math.inf, math.inf),
    (-2.0, 2.0),
    (-0.5, 3.0),
    (1.0, 3.0),
    (-math.inf, -1.5),
    (2.5, math.inf),
    (-9.0, -8.0),
    (37.0, 37.5),
    (-60.0, -40.0),
    (1000.0, math.inf),
]
KEY = 0x0123456789ABCDEF


def filled(fill, size, dtype=np.float32, **options):
    out = np.empty(size, dtype)
    fill(out, KEY, **options)
    return out


def fills():
    """Return every kind of fill as (function, its own options)."""
    truncated = [
        (fill_truncated_normal, {"low": low, "high": high, "mean": 0.3, "sd": 0.7}) for low, high in BOUNDS
    ]
    return [(fill_normal, {"mean": 0.3, "sd": 0.7}), (fill_uniform, {"low": -0.1, "high": 0.7}), *truncated]


def quantile(p, q, low, high):
    """Return scipy's truncated normal quantile at p = 1 - q, from the end that has the digits."""
    with np.errstate(divide="ignore"):
        log_p, log_q = np.log(p), np.log(q)
    below = special.ndtri_exp(np.logaddexp(special.log_ndtr(low) + log_q, special.log_ndtr(high) + log_p))
    above = special.ndtri_exp(np.logaddexp(special.log_ndtr(-high) + log_p, special.log_ndtr(-low) + log_q))
    return np.where(below < 0, below, -above)


@given(
    st.integers(0, 2**64 - 3000),
    st.integers(0, 2500),
    st.integers(0, 500),
    st.integers(0, 2**64 - 1),
    st.sampled_from(fills()),
)
@settings(max_examples=40, deadline=None)
def test_a_slice_needs_not_the_rest(start, begin, size, key, kind):
    fill, options = kind
    whole, part = np.empty(3000, np.float32), np.empty(size, np.float32)
    fill(whole, key, start=start, **options)
    fill(part, key, start=start + begin, **options)
    np.testing.assert_array_equal(part, whole[begin : begin + size])


@given(
    st.integers(0, 2**64 - 150_000),
    st.integers(1, 150_000),
    st.integers(1, 5),
    st.sampled_from(fills()),
    st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=20, deadline=None)
def test_compiled_or_not_by_any_number_of_threads_it_is_the_same(start, size, threads, kind, dtype):
    fill, options = kind
    plain = filled(fill, size, dtype, start=start, threads=1, compiled=False, **options)
    fast = filled(fill, size, dtype, start=start, threads=threads, compiled=True, **options)
    np.testing.assert_array_equal(fast, plain)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_targets_of_any_layout(compiled, threads):
    shape = (70, 60, 50)
    expected = filled(fill_normal, shape)
    room = np.zeros((140, 61, 100), np.float32)
    layouts = [
        np.empty(shape[::-1], np.float32).T,
        room[::2, 1:, ::2],
        np.empty(shape, np.float32)[::-1],
        np.frombuffer(bytearray(1 + 4 * math.prod(shape)), np.float32, offset=1).reshape(shape),
    ]
    for target in layouts:
        fill_normal(target, KEY, compiled=compiled, threads=threads)
        np.testing.assert_array_equal(target, expected)
    assert not room[1::2].any()
    assert not room[:, 0].any()


def test_shapes_do_not_matter():
    flat = filled(fill_normal, 24)
    for shape in [(24,), (2, 3, 4), (24, 1)]:
        np.testing.assert_array_equal(filled(fill_normal, shape).reshape(-1), flat)
    assert filled(fill_normal, ()) == flat[0]
    assert filled(fill_normal, (3, 0)).shape == (3, 0)


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_values_are_the_quantiles_of_their_words(low, high):
    found = filled(fill_truncated_normal, 20_000, np.float64, low=low, high=high)
    first, second = (
        words(KEY, np.arange(5000, dtype=np.uint64), domain).reshape(-1) for domain in np.uint64([0, 1])
    )
    exact = [
        (first + 0.5) / WORD,
        (WORD - 1 - first + 0.5) / WORD,
    ]
    for share, distance in zip(exact, (first, WORD - 1 - first), strict=True):
        near = distance < COARSE
        share[near] = (distance[near] + (second[near] + 0.5) / WORD) / WORD
    expected = quantile(*exact, low, high)
    np.testing.assert_allclose(found, expected, rtol=2e-9, atol=1e-9)


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_extreme_words_stay_finite_and_within_bounds(low, high):
    edges = [
        0,
        1,
        COARSE - 1,
        COARSE,
        WORD // 2 - 1,
        WORD // 2,
        WORD - COARSE - 1,
        WORD - COARSE,
        WORD - 2,
        WORD - 1,
    ]
    found = [
        standard(np.array(edges), np.full(len(edges), second), law(low, high)) for second in (0, WORD - 1)
    ]
    assert np.isfinite(found).all()
    slack = 2e-9 * max(1, min(abs(low), abs(high)))
    assert (low - slack <= np.array(found)).all()
    assert (np.array(found) <= high + slack).all()
    assert (np.diff(found, axis=1) >= -slack).all()


def test_both_tails_are_alike():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, WORD, (2, 10_000))
    first[:100] = np.arange(100)
    first, second = np.append(first, WORD - 1 - first), np.append(second, second)
    values = standard(first, second, law(-math.inf, math.inf))
    np.testing.assert_array_equal(values[:10_000], -values[10_000:])


def test_the_tail_reaches_every_float32():
    # Beyond 3.3 sd, one more step of the second word moves the value by less than the spacing of float32.
    for word in (1, 1000, COARSE - 1):
        values = standard(np.array([word, word]), np.array([2**31, 2**31 + 2**8]), law(-math.inf, math.inf))
        assert 0 < values[1] - values[0] < np.spacing(np.float32(abs(values[0])))
    # And above that, one more step of the first word does.
    values = standard(np.array([COARSE, COARSE + 1]), np.zeros(2, int), law(-math.inf, math.inf))
    assert 0 < values[1] - values[0] < np.spacing(np.float32(abs(values[0])))


def test_the_most_extreme_values():
    values = standard(np.array([0, WORD - 1]), np.array([0, 0]), law(-math.inf, math.inf))
    np.testing.assert_allclose(values, [special.ndtri(2.0**-65), -special.ndtri(2.0**-65)], rtol=2e-9)


def test_parameters_of_any_type_are_the_same_numbers():
    for fill, options in (
        (fill_truncated_normal, {"mean": 3, "sd": 2, "low": -1, "high": 2}),
        (fill_uniform, {"low": 1, "high": 3}),
    ):
        expected = filled(fill, 5000, np.float64, **{name: float(value) for name, value in options.items()})
        for kind in (np.float32, np.int8):
            typed = {name: kind(value) for name, value in options.items()}
            np.testing.assert_array_equal(filled(fill, 5000, np.float64, **typed), expected)


@given(
    st.floats(-1e3, 1e3),
    st.floats(0, 1e3),
    st.floats(-50, 50),
    st.floats(1e-6, 50),
    st.sampled_from([np.float32, np.float64]),
)
@settings(deadline=None)
def test_truncated_values_never_leave_the_bounds(mean, sd, low, width, dtype):
    least, greatest = mean + sd * low, mean + sd * (low + width)
    found = filled(fill_truncated_normal, 500, dtype, mean=mean, sd=sd, low=low, high=low + width).astype(
        float
    )
    if np.nextafter(dtype(least), dtype(np.inf)) < greatest:  # there are numbers between them
        assert least <= found.min()
        assert found.max() <= greatest
    np.testing.assert_allclose(found, np.clip(found, least, greatest), rtol=1e-7, atol=1e-45)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.sampled_from([np.float32, np.float64]))
@settings(deadline=None)
def test_uniform_values_never_reach_the_upper_bound(low, width, dtype):
    found = filled(fill_uniform, 500, dtype, low=low, high=low + width).astype(float)
    if np.nextafter(dtype(low), dtype(np.inf)) < low + width:
        assert low <= found.min()
        assert found.max() < low + width


def test_degenerate_distributions_are_constants():
    assert (filled(fill_normal, 9, mean=0.1, sd=0.0) == np.float32(0.1)).all()
    assert (filled(fill_truncated_normal, 9, mean=0.1, sd=0.0) == np.float32(0.1)).all()
    assert (filled(fill_uniform, 9, low=0.1, high=0.1) == np.float32(0.1)).all()


def test_nothing_is_infinite():
    assert np.isfinite(filled(fill_normal, 1000, sd=3e38)).all()


@pytest.mark.parametrize(
    ("fill", "options"),
    [
        (fill_normal, {"sd": -1.0}),
        (fill_normal, {"sd": math.nan}),
        (fill_normal, {"mean": math.inf}),
        (fill_normal, {"start": -1}),
        (fill_normal, {"start": 2**64 - 2}),
        (fill_truncated_normal, {"low": 2.0, "high": 2.0}),
        (fill_truncated_normal, {"low": math.nan}),
        (fill_truncated_normal, {"low": 1e200, "high": math.inf}),
        (fill_uniform, {"low": 1.0, "high": 0.0}),
        (fill_uniform, {"high": math.inf}),
    ],
)
def test_what_does_not_exist_is_an_error(fill, options):
    with pytest.raises(FaninError):
        filled(fill, 3, **options)


def test_what_cannot_be_filled_is_an_error():
    with pytest.raises(FaninError, match="no key of a sequence"):
        fill_normal(np.empty(3), 2**64)
    with pytest.raises(FaninError, match="int64 array cannot be filled"):
        filled(fill_normal, 3, np.int64)
    target = np.empty(3, np.float32)
    target.flags.writeable = False
    with pytest.raises(FaninError, match="read-only float32 array"):
        fill_normal(target, KEY)


def test_small_fills_do_not_wait_for_numba():
    code = (
        "import sys, numpy; from fanin.random.fill import fill_normal;"
        "fill_normal(numpy.empty(100_000, 'f'), 1); print('numba' in sys.modules);"
        "fill_normal(numpy.empty(2**20, 'f'), 1); print('numba' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "True"]


def test_without_numba_numpy_fills():
    code = (
        "import sys; sys.modules['numba'] = None; import numpy; from fanin.random.fill import fill_normal;"
        "out = numpy.empty(2**20, 'f'); fill_normal(out, 1); print(float(out[-1]));"
        "fill_normal(out, 1, compiled=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    expected = np.empty(1, np.float32)
    fill_normal(expected, 1, start=2**20 - 1)
    assert float(done.stdout) == expected[0]
    assert "numba is not installed." in done.stderr
    assert "pip install 'fanin[fast]'" in done.stderr
