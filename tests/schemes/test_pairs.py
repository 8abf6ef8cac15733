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


def test_pairs_beside_units_that_stand_alone():
    kernel = Parameter("fc.weight", (16, 32), "kernel", ("out", "in"))
    w = values(Paired(Orthogonal(), 1, True, 5, 3, alone=0.5), kernel)
    np.testing.assert_array_equal(w[0:6:2], -w[1:6:2])
    columns = w.reshape(16, 2, 16)
    np.testing.assert_array_equal(columns[:, :, 0:10:2], -columns[:, :, 1:10:2])
    one_of_each = np.r_[w[0:6:2], w[6:]].reshape(13, 2, 16)
    matrix = np.concatenate([one_of_each[:, :, 0:10:2], 2 * one_of_each[:, :, 10:]], axis=-1).reshape(13, 22)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(13), atol=1e-6)


def test_a_share_of_the_units_behind_a_flattened_image():
    kernel = Parameter("fc.weight", (6, 64), "kernel", ("out", "in"))
    w = values(Paired(Normal(0.0, 1.0), 2, False, 7), kernel).reshape(6, 2, 16, 2)
    np.testing.assert_array_equal(w[:, :, 0:14:2], -w[:, :, 1:14:2])
    assert len(np.unique(np.abs(w[:, :, 14:]))) == w[:, :, 14:].size


def test_a_share_of_the_units_of_each_group():
    kernel = Parameter("conv.weight", (32, 16, 3), "kernel", ("out", "in", "tap"), groups=2)
    w = values(Paired(Orthogonal(), 1, True, 3, 3), kernel).reshape(2, 16, 16, 3)
    np.testing.assert_array_equal(w[:, 0:6:2], -w[:, 1:6:2])
    np.testing.assert_array_equal(w[:, :, 0:6:2], -w[:, :, 1:6:2])
    rows = np.concatenate([w[:, 0:6:2], w[:, 6:]], axis=1)
    wide = np.concatenate([rows[:, :, 0:6:2], rows[:, :, 6:]], axis=2).reshape(2, 13, -1)
    np.testing.assert_allclose(wide @ wide.swapaxes(1, 2), np.tile(np.eye(13), (2, 1, 1)), atol=1e-6)


def test_a_share_of_the_units_of_a_transposed_convolution():
    kernel = Parameter(
        "up.weight", (32, 16, 2), "kernel", ("in", "out", "tap"), groups=2, stride=2, transposed=True
    )
    w = values(Paired(Orthogonal(), 1, True, 5, 7, alone=2.0), kernel).reshape(2, 16, 16, 2)
    np.testing.assert_array_equal(w[:, 0:10:2], -w[:, 1:10:2])
    np.testing.assert_array_equal(w[:, :, 0:14:2], -w[:, :, 1:14:2])


@pytest.mark.parametrize("eighths", [3, 5, 7])
def test_the_second_moment_beside_units_that_stand_alone(eighths):
    kernel = Parameter("fc.weight", (16, 32), "kernel", ("out", "in"))
    paired = Paired(Normal(0.0, 1.5), 1, False, eighths, alone=0.7)
    found = np.mean([np.mean(draw(paired, kernel, key_of(seed, "w")) ** 2) for seed in range(200)])
    assert found == pytest.approx(second_moment(paired, kernel), rel=0.02)


def test_what_does_not_split_into_pairs():
    odd = Parameter("odd", (5, 8), "kernel", ("out", "in"))
    with pytest.raises(FaninError, match="does not split into pairs"):
        values(Paired(Normal(0.0, 1.0), 1, True), odd)
    with pytest.raises(FaninError, match="no axis of input units"):
        values(Paired(Normal(0.0, 1.0), 1, False), Parameter("bare", (4, 4)))
    with pytest.raises(FaninError, match="does not split into pairs"):
        values(Paired(Normal(0.0, 1.0), 1, False, 3), DENSE)
    with pytest.raises(FaninError, match="9 eighths"):
        Paired(Normal(0.0, 1.0), 1, False, 9)


def test_it_is_data():
    paired = Paired(Orthogonal(2.0), 1, True)
    assert from_record(to_record(paired)) == paired
    assert is_random(paired)


def test_records_of_before_there_were_shares_are_read():
    kernel = {"kind": "Orthogonal", "gain": 2.0}
    record = {"kind": "Paired", "kernel": kernel, "inputs": 1, "outputs": True}
    assert from_record(record) == Paired(Orthogonal(2.0), 1, True)
