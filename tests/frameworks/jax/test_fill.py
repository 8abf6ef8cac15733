"""The fill in JAX gives the host's values: the same words, the same numbers to single precision."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.frameworks.jax import fill
from fanin.random.fill import fill_normal, fill_truncated_normal, fill_uniform

BOUNDS = [
    (-2.0, 2.0),
    (-0.5, 3.0),
    (1.0, 3.0),
    (-math.inf, -1.5),
    (2.5, math.inf),
    (-9.0, -8.0),
    (40.0, 41.0),
]
KEY = 0x0123456789ABCDEF
SIZE = 200_003


def host(function, size=SIZE, key=KEY, **options):
    out = np.empty(size)
    function(out, key, **options)
    return out


def test_normal_values_are_the_hosts():
    np.testing.assert_allclose(fill.normal(KEY, (SIZE,)), host(fill_normal), rtol=0, atol=1e-6)
    moved = fill.normal(KEY, (SIZE,), 0.25, 1e-3)
    np.testing.assert_allclose(moved, host(fill_normal, mean=0.25, sd=1e-3), rtol=0, atol=6e-8)


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_truncated_normal_values_are_the_hosts_and_within_bounds(low, high):
    found = np.asarray(fill.truncated_normal(KEY, (SIZE,), low=low, high=high))
    expected = host(fill_truncated_normal, low=low, high=high)
    np.testing.assert_allclose(found, expected, rtol=2.5e-7, atol=5e-7)
    assert low <= found.min()
    assert found.max() <= high


def test_uniform_values_are_the_hosts_and_below_the_upper_bound():
    found = fill.uniform(KEY, (SIZE,), -1.0, 2.0)
    np.testing.assert_allclose(found, host(fill_uniform, low=-1.0, high=2.0), rtol=0, atol=3e-7)
    for low, high in ((0.0, 1.0), (1.0, 1.0 + 2**-23), (-3.0, -2.5)):
        found = np.asarray(fill.uniform(KEY, (SIZE,), low, high))
        assert low <= found.min()
        assert found.max() < high


@given(st.integers(0, 2**64 - 200), st.integers(0, 2**64 - 1))
@settings(deadline=None, max_examples=20)
def test_any_part_of_any_sequence(start, key):
    found = fill.normal(key, (100,), start=start)
    np.testing.assert_allclose(found, host(fill_normal, 100, key, start=start), rtol=0, atol=1e-6)


def test_key_and_start_may_be_traced():
    part = jax.jit(lambda key, start: fill.normal(key, (50, 2), start=start))
    whole = host(fill_normal)
    for start in (0, 1, 6, 4099):
        found = part(fill.key_words(KEY), start).reshape(-1)
        np.testing.assert_allclose(found, whole[start : start + 100], rtol=0, atol=1e-6)
    late = part(fill.key_words(KEY), jnp.uint32(2**32 - 50)).reshape(-1)
    expected = host(fill_normal, 100, start=2**32 - 50)
    np.testing.assert_allclose(late, expected, rtol=0, atol=1e-6)


def test_many_keys_at_once():
    keys = [KEY, 7, 2**63 + 1]
    found = jax.vmap(lambda key: fill.normal(key, (30,)))(jnp.stack([fill.key_words(key) for key in keys]))
    expected = np.stack([host(fill_normal, 30, key) for key in keys])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_in_double_precision_the_words_stay_the_same():
    with jax.enable_x64(True):
        found = fill.normal(KEY, (1000,), start=jnp.int64(2**40 + 3))
    np.testing.assert_allclose(found, host(fill_normal, 1000, start=2**40 + 3), rtol=0, atol=1e-6)
