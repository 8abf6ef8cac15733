import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fanin.random.streams import integer_seed, stream


@given(st.integers(), st.text(max_size=20))
def test_a_stream_is_a_function_of_seed_and_name(seed, name):
    np.testing.assert_array_equal(stream(seed, name).random(8), stream(seed, name).random(8))


def test_other_seeds_and_names_give_independent_streams():
    streams = [
        stream(seed, name).standard_normal(4000) for seed in range(5) for name in ("a", "b", "1", "a/1")
    ]
    correlation = np.corrcoef(streams) - np.eye(len(streams))
    # 190 correlations of 4000 draws: the largest of them stays within five standard errors.
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


def test_a_name_cannot_be_confused_with_a_seed():
    assert stream(1, "2").random() != stream(12, "").random()


@given(st.integers(-(2**40), 2**40))
def test_integer_seeds_fit_every_framework(seed):
    assert 0 <= integer_seed(seed, "x") < 2**31


def test_a_stream_is_philox_under_the_hash_of_seed_and_name():
    key = np.frombuffer(hashlib.blake2b(b"3\0dense/kernel", digest_size=16).digest(), np.uint64)
    expected = np.random.Generator(np.random.Philox(key=key)).random(9)
    np.testing.assert_array_equal(stream(3, "dense/kernel").random(9), expected)
