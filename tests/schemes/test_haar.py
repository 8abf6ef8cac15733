import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from threadpoolctl import threadpool_info, threadpool_limits

from fanin.schemes import haar as haar_module
from fanin.schemes.haar import haar

SIZES = [(1, 1), (2, 2), (3, 3), (1, 6), (63, 64), (65, 65), (130, 300), (256, 256), (257, 257), (300, 310)]


def gaussian(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def by_reflections(drawn):
    """Multiply the reflections one after the other, in double precision."""
    columns, rows = drawn.shape
    q = np.eye(rows, columns)
    for k in reversed(range(columns)):
        x = drawn[k, k:].astype(float)
        sign = -np.copysign(1.0, x[0])
        v = x - sign * np.linalg.norm(x) * np.eye(1, len(x))[0]
        q[k:] -= np.outer(2 * v / (v @ v), v @ q[k:])
        q[:, k] *= sign
    return q


def lost(q):
    """Return how far products of columns are from 0 and 1 at most."""
    wide = q.astype(float)
    return np.abs(wide.swapaxes(-1, -2) @ wide - np.eye(q.shape[-1])).max(initial=0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 150), st.integers(0, 40), st.integers(0, 2**20))
def test_columns_are_orthonormal(columns, more, seed):
    q = haar(gaussian((columns, columns + more), seed))
    assert q.dtype == np.float32
    assert q.shape == (columns + more, columns)
    assert lost(q) < 1e-6


def test_large_matrices_are_orthogonal_to_single_precision():
    assert lost(haar(gaussian((1024, 1024)))) < 1e-6
    assert lost(haar(gaussian((500, 3000)))) < 1e-6


@pytest.mark.parametrize("size", SIZES)
def test_it_is_the_product_of_the_reflections(size):
    drawn = gaussian(size)
    np.testing.assert_allclose(haar(drawn), by_reflections(drawn), atol=1e-6)


def test_it_is_householders_q_where_the_vectors_are_his():
    """LAPACK leaves the vectors that it reflects in what it returns; given those, the Q must be its own."""
    matrix = np.random.default_rng(0).standard_normal((90, 70))
    packed, tau = np.linalg.qr(matrix, mode="raw")
    q, r = np.linalg.qr(matrix)
    # x_k = beta (e_k - tau v) of what LAPACK keeps, v_k = 1 and x_k = beta (1 - tau) at its first place.
    beta = np.diagonal(packed)
    x = np.triu(packed, 1) * (-tau * beta)[:, None]
    np.fill_diagonal(x, beta * (1 - tau))
    np.testing.assert_allclose(haar(x.astype(np.float32)), q * np.sign(np.diagonal(r)), atol=1e-5)


@pytest.mark.parametrize("size", [(3, 5), (70, 70), (257, 260)])
def test_stacked_matrices_are_those_of_each_alone(size):
    drawn = gaussian((2, 3, *size))
    found = haar(drawn)
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(found[place], haar(drawn[place]))
    assert haar(drawn[:0]).shape == (0, 3, *size[::-1])


def test_what_is_before_a_vectors_place_does_not_matter():
    drawn = gaussian((70, 80))
    np.testing.assert_array_equal(haar(np.triu(drawn)), haar(drawn))


def digest(size):
    return hashlib.sha256(haar(gaussian(size)).tobytes()).hexdigest()


@pytest.mark.parametrize("size", [(64, 64), (257, 257), (700, 901), (1024, 1024)])
@pytest.mark.parametrize("processors", [1, 2, 5])
def test_the_bits_do_not_depend_on_threads(size, processors, monkeypatch):
    expected = digest(size)
    monkeypatch.setattr(haar_module, "processors", lambda: processors)
    for limit in (1, 2, 4):
        with threadpool_limits(limit, user_api="blas"):
            before = threadpool_info()
            assert digest(size) == expected
            assert threadpool_info() == before


def test_a_process_with_other_threads_has_the_same_bits():
    code = (
        "import hashlib, numpy; from fanin.schemes.haar import haar;"
        "drawn = numpy.random.default_rng(0).standard_normal((600, 700), numpy.float32);"
        "print(hashlib.sha256(haar(drawn).tobytes()).hexdigest())"
    )
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    for count in ("1", "2", "8"):
        environment = {**os.environ, **dict.fromkeys(names, count)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == digest((600, 700))


N, DRAWS = 5, 20_000
SQUARE = haar(np.random.default_rng(1).standard_normal((DRAWS, N, N), np.float32)).astype(float)
TALL = haar(np.random.default_rng(2).standard_normal((DRAWS, 2, N), np.float32)).astype(float)


def near(samples, expected):
    """Whether each mean is within five standard errors."""
    error = samples.std(0) / np.sqrt(len(samples))
    return bool((np.abs(samples.mean(0) - expected) < 5 * error).all())


@pytest.mark.parametrize("draws", [SQUARE, TALL], ids=["square", "tall"])
def test_entries_have_the_moments_of_haar(draws):
    assert near(draws, 0)
    assert near(draws**2, 1 / N)
    assert near(draws**4, 3 / (N * (N + 2)))
    first, second = draws[:, :, 0], draws[:, :, 1]
    assert near(first[:, 0] * second[:, 0], 0)
    assert near((first[:, 0] * second[:, 0]) ** 2, 1 / (N * (N + 2)))
    assert near((first[:, 0] * second[:, 1]) ** 2, (N + 1) / (N * (N + 2) * (N - 1)))


def test_traces_have_the_moments_of_haar():
    """Those of powers are independent normal variables of variance j and mean 0 or 1, up to an order.

    Diaconis and Shahshahani 1994, On the eigenvalues of random matrices, theorem 4.
    """
    one = np.trace(SQUARE, axis1=1, axis2=2)
    two = np.trace(SQUARE @ SQUARE, axis1=1, axis2=2)
    assert near(one, 0)
    assert near(one**2, 1)
    assert near(one**4, 3)
    assert near(two, 1)
    assert near((two - 1) ** 2, 2)
    assert near(one**2 * (two - 1), 0)


def test_rotations_and_reflections_are_as_frequent():
    signs = np.linalg.slogdet(SQUARE).sign
    assert near(signs, 0)
    assert near(signs * SQUARE[:, 0, 0], 0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_fixed_rotation_changes_no_law(side):
    other = np.linalg.qr(np.random.default_rng(3).standard_normal((N, N)))[0]
    half = SQUARE[: DRAWS // 2]
    turned = other @ half if side == "left" else half @ other
    rest = SQUARE[DRAWS // 2 :]
    for entry in [(0, 0), (0, N - 1), (2, 1), (N - 1, 0), (N - 1, N - 1)]:
        assert stats.ks_2samp(turned[:, *entry], rest[:, *entry]).pvalue > 1e-3
    powers = [np.trace(each @ each @ each, axis1=1, axis2=2) for each in (turned, rest)]
    assert stats.ks_2samp(*powers).pvalue > 1e-3


def test_entries_follow_their_beta_law():
    """The square of an entry of a unit vector is Beta(1/2, (n - 1)/2)."""
    law = stats.beta(0.5, (N - 1) / 2)
    for entry in np.ndindex(N, N):
        assert stats.kstest(SQUARE[:, *entry] ** 2, law.cdf).pvalue > 1e-4
