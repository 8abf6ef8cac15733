"""Kernels between pairs of units: every other unit is the negative of the one before."""

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.random.philox import key_of
from fanin.schemes.distributions import (
    Normal,
    Orthogonal,
    Paired,
    is_random,
)
from fanin.schemes.draw import draw
from fanin.schemes.moments import second_moment
from fanin.schemes.records import from_record, to_record

DENSE = Parameter("fc.weight", (6, 8), "kernel", ("out", "in"))
CONVOLUTION = Parameter("conv.weight", (8, 4, 3, 3), "kernel", ("out", "in", "tap", "tap"), groups=2)


def values(distribution, parameter):
    return draw(distribution, parameter, key_of(3, parameter.name))


def test_outputs_and_inputs_in_pairs():
    w = values(Paired(Orthogonal(2.0), 1, True), DENSE)
    np.testing.assert_array_equal(w[::2], -w[1::2])
    np.testing.assert_array_equal(w[:, ::2], -w[:, 1::2])
    half = w[::2, ::2].astype(float)
    np.testing.assert_allclose(half @ half.T, 4 * np.eye(3), atol=1e-6)


def test_only_outputs_and_only_inputs():
    first, last = (
        values(Paired(Normal(0.0, 1.0), 0, True), DENSE),
        values(Paired(Orthogonal(), 1, False), DENSE),
    )
    np.testing.assert_array_equal(first[::2], -first[1::2])
    np.testing.assert_array_equal(last[:, ::2], -last[:, 1::2])
    assert len(np.unique(np.abs(first))) == first.size // 2


def test_units_that_take_several_places_behind_a_flattened_image():
    w = values(Paired(Normal(0.0, 1.0), 2, False), DENSE).reshape(6, 2, 2, 2)
    np.testing.assert_array_equal(w[:, :, 0], -w[:, :, 1])
    assert not np.array_equal(w[..., 0], w[..., 1])


def test_groups_of_a_convolution_have_their_own_pairs():
    w = values(Paired(Orthogonal(), 1, True), CONVOLUTION)
    np.testing.assert_array_equal(w[::2], -w[1::2])
    np.testing.assert_array_equal(w[:, ::2], -w[:, 1::2])


@pytest.mark.parametrize("inputs", [0, 1, 2])
@pytest.mark.parametrize("outputs", [True, False])
def test_the_second_moment(inputs, outputs):
    paired = Paired(Orthogonal(1.5), inputs, outputs)
    assert np.mean(values(paired, DENSE) ** 2) == pytest.approx(second_moment(paired, DENSE), rel=1e-6)


def test_what_does_not_split_into_pairs():
    odd = Parameter("odd", (5, 8), "kernel", ("out", "in"))
    with pytest.raises(FaninError, match="does not split into pairs"):
        values(Paired(Normal(0.0, 1.0), 1, True), odd)
    with pytest.raises(FaninError, match="no axis of input units"):
        values(Paired(Normal(0.0, 1.0), 1, False), Parameter("bare", (4, 4)))


def test_it_is_data():
    paired = Paired(Orthogonal(2.0), 1, True)
    assert from_record(to_record(paired)) == paired
    assert is_random(paired)
