import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.random.philox import key_of
from fanin.schemes.distributions import (
    Constant,
    DeltaOrthogonal,
    Identity,
    Normal,
    Orthogonal,
    PerGate,
    Sparse,
    TruncatedNormal,
    Uniform,
    is_random,
)
from fanin.schemes.draw import draw, draw_many, fill
from fanin.schemes.matrices import matrices
from fanin.schemes.moments import second_moment
from parameters import FORMS

DISTRIBUTIONS = (
    Constant(0.3),
    Normal(0.1, 0.5),
    TruncatedNormal(0.1, 0.5),
    TruncatedNormal(0.0, 1.0, 1.0, 4.0),
    Uniform(-0.2, 0.6),
    Orthogonal(1.5),
    DeltaOrthogonal(1.5),
    Identity(2.0),
    Sparse(3, 0.7),
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
def test_measured_second_moments_are_the_formulas(form, distribution):
    parameter = FORMS[form]
    (drawn,) = draw_many([distribution], parameter, [key_of(seed, "w") for seed in range(60)])
    assert drawn.shape[1:] == parameter.shape
    assert drawn.dtype == np.float32
    expected = second_moment(distribution, parameter)
    spread = 6 * float((drawn**2).std()) / math.sqrt(drawn.size) + 1e-6
    assert (drawn.astype(float) ** 2).mean() == pytest.approx(expected, abs=spread)


@settings(deadline=None)
@given(
    st.sampled_from(list(FORMS)),
    st.lists(st.sampled_from(DISTRIBUTIONS), min_size=1, max_size=4),
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
)
def test_many_keys_and_distributions_at_once_have_the_bits_of_each(form, distributions, keys):
    together = draw_many(distributions, FORMS[form], keys)
    for distribution, drawn in zip(distributions, together, strict=True):
        for values, key in zip(drawn, keys, strict=True):
            np.testing.assert_array_equal(values, draw(distribution, FORMS[form], key))


def test_many_large_arrays_have_the_bits_of_each():
    """So many values that compiled code pays, where there is some, and tiles of a part of a sequence."""
    parameter, keys = Parameter("w", (30_001, 3)), list(range(12))
    distributions = (Normal(0.0, 1.0), TruncatedNormal(0.0, 1.0), Uniform(0.0, 1.0))
    for distribution, drawn in zip(distributions, draw_many(distributions, parameter, keys), strict=True):
        np.testing.assert_array_equal(drawn[-1], draw(distribution, parameter, keys[-1]))


@pytest.mark.parametrize("form", ["linear", "dense", "conv", "channels_last", "einsum", "bilinear"])
def test_one_matrix_is_orthogonal_whatever_its_axes(form):
    parameter = FORMS[form]
    values = draw(Orthogonal(), parameter, key_of(0, form))
    outputs = [i for i, axis in enumerate(parameter.axes) if axis == "out"]
    size = math.prod(parameter.shape[i] for i in outputs)
    matrix = np.moveaxis(values, outputs, range(len(outputs))).reshape(size, -1)
    smaller = min(matrix.shape)
    gram = matrix @ matrix.T if smaller == size else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(smaller), atol=1e-6)


@pytest.mark.parametrize(("form", "axis", "count"), [("gates", 0, 4), ("grouped", 0, 4), ("experts", 0, 3)])
def test_gates_groups_and_experts_are_orthogonal_each_for_itself(form, axis, count):
    values = draw(Orthogonal(), FORMS[form], key_of(0, form))
    parts = np.split(values, count, axis=axis)
    for part in parts:
        matrix = part.reshape(part.shape[0], -1) if form != "experts" else part[0].T
        smaller = min(matrix.shape)
        gram = matrix @ matrix.T if smaller == len(matrix) else matrix.T @ matrix
        np.testing.assert_allclose(gram, np.eye(smaller), atol=1e-6)
    assert not np.allclose(parts[0], parts[1])


def test_a_grouped_transposed_kernel_packs_its_inputs():
    values = draw(Orthogonal(), FORMS["transposed"], key_of(0, "t"))
    for part in np.split(values, 3, axis=0):  # (in of a group, out of a group, taps)
        matrix = part.swapaxes(0, 1).reshape(5, -1)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(5), atol=1e-6)


@pytest.mark.parametrize("kind", [DeltaOrthogonal, Identity])
def test_only_the_centre_tap_passes_signals_on(kind):
    values = draw(kind(), FORMS["conv"], key_of(0, "c"))
    centre = values[:, :, 1, 1]
    np.testing.assert_allclose(centre.T @ centre, np.eye(6), atol=1e-6)
    assert np.count_nonzero(values) == np.count_nonzero(centre)


def test_sparse_units_have_exactly_so_many_inputs():
    values = draw(Sparse(3, 1.0), FORMS["linear"], key_of(0, "s"))
    assert set(np.count_nonzero(values, axis=1)) == {3}
    all_of_them = draw(Sparse(99, 1.0), FORMS["linear"], key_of(0, "s"))
    assert np.count_nonzero(all_of_them) == all_of_them.size


def test_each_gate_has_its_own_distribution():
    bias = Parameter("b", (32,), "bias", gates=4)
    values = draw(PerGate((Constant(0.0), Constant(1.0), Normal(0.0, 1.0), Normal(0.0, 1.0))), bias, 5)
    assert (values[:8] == 0).all()
    assert (values[8:16] == 1).all()
    assert not np.allclose(values[16:24], values[24:])


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from(DISTRIBUTIONS[:5]))
def test_a_part_is_drawn_without_the_rest(start, size, distribution):
    whole = draw(distribution, Parameter("w", (600,)), key_of(1, "w"))
    part = np.empty(size, np.float32)
    fill(distribution, part, key_of(1, "w"), start)
    np.testing.assert_array_equal(part, whole[start : start + size])


def test_the_padding_row_stays_zero():
    table = Parameter("table", (10, 4), "embedding", ("in", "out"), padding=3)
    values = draw(Normal(0.0, 1.0), table, 0)
    assert (values[3] == 0).all()
    assert np.count_nonzero(values) == 36
    np.testing.assert_array_equal(draw_many([Normal(0.0, 1.0)], table, [0, 1])[0][0], values)


def test_what_depends_on_the_key():
    assert not is_random(PerGate((Constant(0.0), Constant(1.0))))
    assert is_random(PerGate((Constant(0.0), Normal(0.0, 1.0))))


def test_matrices_need_axes_that_are_known():
    with pytest.raises(FaninError, match="is no matrix that fanin knows"):
        draw(Orthogonal(), Parameter("w", (3, 4)), 0)


def test_an_empty_parameter_and_a_scalar():
    assert draw(Normal(0.0, 1.0), Parameter("w", (0, 4)), 0).shape == (0, 4)
    scalar = draw(Normal(0.0, 1.0), Parameter("w", ()), 0)
    assert (type(scalar), scalar.shape) == (np.ndarray, ())


def test_matrices_say_how_a_parameter_splits():
    assert matrices(FORMS["depthwise"]).count == 8
    assert matrices(FORMS["grouped"]).outputs == 6
    assert (matrices(FORMS["transposed"]).inputs, matrices(FORMS["transposed"]).outputs) == (4, 5)
