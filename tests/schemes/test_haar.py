import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.schemes.haar import _by_products, haar


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 2**20))
def test_columns_are_orthonormal_and_span_what_was_given(columns, more, seed):
    gaussian = np.random.default_rng(seed).standard_normal((columns + more, columns))
    q = haar(gaussian)
    np.testing.assert_allclose(q.T @ q, np.eye(columns), atol=1e-12)
    r = q.T @ gaussian
    np.testing.assert_allclose(q @ r, gaussian, atol=1e-9)
    assert (np.diagonal(r) > 0).all()  # what makes the factor unique, and so Haar-uniform


@pytest.mark.parametrize("shape", [(200, 200), (300, 150), (512, 512)])
def test_the_fast_way_is_the_same_factor(shape):
    gaussian = np.random.default_rng(0).standard_normal(shape)
    q, r = np.linalg.qr(gaussian)
    np.testing.assert_allclose(haar(gaussian), q * np.sign(np.diagonal(r)), atol=1e-9)
    np.testing.assert_allclose(haar(gaussian).T @ haar(gaussian), np.eye(shape[1]), atol=1e-8)


@pytest.mark.parametrize("n", [150, 400])
def test_the_bound_of_the_lost_orthogonality_holds(n):
    for seed in range(20):
        q, lost = _by_products(np.random.default_rng(seed).standard_normal((n, n)))
        assert np.abs(q.T @ q - np.eye(n)).max() < max(lost, 1e-12)


def test_a_singular_matrix_still_gives_orthonormal_columns():
    gaussian = np.random.default_rng(0).standard_normal((200, 200))
    gaussian[:, 1] = gaussian[:, 0]
    q = haar(gaussian)
    np.testing.assert_allclose(q.T @ q, np.eye(200), atol=1e-10)


def test_it_is_uniform():
    """The entries of a Haar matrix have mean 0, variance 1/n and fourth moment 3 / (n (n + 2))."""
    n, rng = 4, np.random.default_rng(0)
    draws = np.stack([haar(rng.standard_normal((n, n))) for _ in range(4000)])
    error = 5 / np.sqrt(len(draws))
    assert np.abs(draws.mean(0)).max() < error * 0.5
    assert np.abs((draws**2).mean(0) - 1 / n).max() < error * 0.31
    assert np.abs((draws**4).mean(0) - 3 / (n * (n + 2))).max() < error * 0.25
