import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.random.philox import TAILS, VALUES, key_of, philox, words

FULL = 0xFFFFFFFF
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)


def as_hex(numbers):
    return " ".join(f"{int(number):08x}" for number in numbers)


# From kat_vectors of Random123, rows "philox4x32 10".
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((FULL,) * 4, (FULL, FULL), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (PI, (0xA4093822, 0x299F31D0), "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_published_known_answers(counter, key, expected):
    assert as_hex(philox(*np.array([*counter, *key], np.uint64))) == expected


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**62 - 1), st.sampled_from([VALUES, TAILS]))
def test_words_of_a_block_are_philox_at_its_number(key, block, domain):
    counter = np.array([block % 2**32, block // 2**32, domain, 0], np.uint64)
    expected = philox(*counter, *np.array([key % 2**32, key // 2**32], np.uint64))
    np.testing.assert_array_equal(words(key, np.array([block], np.uint64), domain)[0], np.array(expected))


def test_a_key_is_the_hash_of_seed_and_name():
    digest = hashlib.blake2b(b"3\0dense/kernel", digest_size=8).digest()
    assert key_of(3, "dense/kernel") == int.from_bytes(digest, "little")


@given(st.integers(), st.text(max_size=20))
def test_a_key_has_64_bits(seed, name):
    assert 0 <= key_of(seed, name) < 2**64


def test_a_name_cannot_be_confused_with_a_seed():
    assert len({key_of(1, "2"), key_of(12, ""), key_of(1, "2/"), key_of(-1, "2")}) == 4
