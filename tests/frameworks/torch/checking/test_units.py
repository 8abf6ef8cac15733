"""Statistics of units, against their definitions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fanin.frameworks.torch.checking import units


@given(st.integers(0, 99), st.floats(0.01, 100), st.floats(-5, 5))
def test_spread(seed, scale, shift):
    x = np.random.default_rng(seed).standard_normal(300) * scale + shift
    found = units.spread(torch.tensor(x))
    assert found.mean == pytest.approx(np.mean(x), abs=1e-6 * scale)
    assert found.sd == pytest.approx(np.std(x))
    assert found.largest == pytest.approx(np.max(np.abs(x)))
    assert found.scale == pytest.approx(math.sqrt(np.mean(x**2)))


def test_spread_of_many_numbers_is_that_of_a_sample():
    x = torch.randn(1 << 11, 1 << 11, generator=torch.Generator().manual_seed(0))
    x[:, 7] *= 100  # no column may be left out
    found = units.spread(x)
    assert found.sd == pytest.approx(x.std().item(), rel=0.05)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_spread_of_what_is_not_finite(wrong):
    x = torch.randn(600, 600)
    x[311, 17] = wrong
    found = units.spread(x)
    assert not found.finite
    assert found.sd == pytest.approx(1.0, abs=0.02)


def test_spread_of_what_is_too_large_to_be_squared():
    found = units.spread(torch.full((4,), 3e37))
    assert found.finite
    assert found.largest == pytest.approx(3e37)


def test_dead_units():
    x = torch.ones(4, units.PLACES)
    x[1] = 0
    assert units.dead(x) == 0.25
    assert units.dead(x[:, :8]) is None


def test_saturated():
    x = torch.tensor([-0.99, -0.5, 0.0, 0.98])
    assert units.saturated(x, "tanh") == 0.5
    assert units.saturated(torch.tensor([0.01, 0.5, 0.99, 0.6]), "sigmoid") == 0.5


def test_twins():
    random = torch.Generator().manual_seed(0)
    outputs, gradients = (torch.randn(50, 64, generator=random) for _ in range(2))
    outputs[3], gradients[3] = outputs[17], gradients[17]
    outputs[4] = outputs[18]  # in its outputs alone
    found = units.twins(units.fingerprints(outputs), units.fingerprints(gradients))
    assert found.nonzero().flatten().tolist() == [3, 17]


def test_twins_are_no_multiples():
    x = torch.randn(1, 64)
    units_ = torch.cat([x, 2 * x, -x])
    assert not units.twins(units.fingerprints(units_)).any()


def test_similarity():
    x = torch.randn(16, 400, generator=torch.Generator().manual_seed(0))
    cosine, varied = units.similarity(x)
    rows = torch.nn.functional.normalize(x, dim=1)
    pairs = rows @ rows.T
    assert cosine == pytest.approx((pairs.sum() - 16).item() / 240, abs=1e-6)
    assert varied == pytest.approx(x.std(0, correction=0).square().mean().sqrt().item(), rel=0.02)
    assert units.similarity(x[:1]) == (None, None)
    assert units.similarity(torch.ones(4, 3))[0] == pytest.approx(1.0)


def test_entropy():
    assert units.entropy(torch.full((2, 3, 8), 7.0)) == pytest.approx(1.0)
    one = torch.full((1, 2, 8), -torch.inf)
    one[..., 0] = 1
    assert units.entropy(one) is None
    both = torch.tensor([[[0.9, 0.1, 0.0]]]).log()
    truth = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / math.log(2)
    assert units.entropy(both) == pytest.approx(truth)


def test_complex_numbers_have_two_parts():
    x = torch.complex(torch.full((4, 8), 3.0), torch.full((4, 8), -4.0))
    found = units.spread(x)
    assert (found.mean, found.sd, found.largest) == (-0.5, 3.5, 4.0)
    assert units.similarity(x)[0] == pytest.approx(1)
    assert units.fingerprints(units.by_unit(x, -1)).shape == (8, 3)
