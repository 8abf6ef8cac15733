import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fanin.frameworks.order import data_order


@given(st.integers(0, 1000), st.integers(1, 50), st.integers(1, 5))
def test_every_epoch_shows_every_example_once(seed, examples, epochs):
    order = data_order(seed, examples, epochs)
    assert order.dtype == np.int32
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(examples), (epochs, 1)))


def test_epochs_and_seeds_differ():
    order = data_order(0, 100, 2)
    assert not np.array_equal(order[0], order[1])
    assert not np.array_equal(order, data_order(1, 100, 2))


def test_more_epochs_do_not_change_the_first_ones():
    np.testing.assert_array_equal(data_order(3, 40, 5)[:2], data_order(3, 40, 2))
