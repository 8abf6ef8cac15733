"""Laws of values that are there."""

import pytest
import torch
from torch import nn

from fanin.frameworks.torch.laws.tensors import is_orthogonal, law_of_values


@pytest.mark.parametrize("shape", [(7,), (300, 200), (5, 4096, 17)])
@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.02), (0.5, 2.0), (10.0, 0.1), (3.0, 0.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_moments(shape, mean, sd, dtype):
    values = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * sd + mean).to(dtype)
    law = law_of_values(values)
    assert law is not None
    exact = values.double()
    assert law.mean == pytest.approx(float(exact.mean()), rel=1e-5, abs=1e-6)
    assert law.variance == pytest.approx(float(exact.var(correction=0)), rel=1e-4, abs=1e-12)


def test_what_has_no_values_has_no_law():
    assert law_of_values(torch.empty(3, device="meta")) is None
    assert law_of_values(torch.empty(0)) is None


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8), (12, 4, 3, 3)])
def test_orthogonal_matrices_are_found(shape):
    assert is_orthogonal(nn.init.orthogonal_(torch.empty(shape), 0.3))
    assert not is_orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    assert not is_orthogonal(torch.zeros(shape))
    assert not is_orthogonal(torch.ones(shape))
