"""What populations are distributed by, where their numbers are even."""

import numpy as np
import pytest

from fanin.theory.propagation.root import Root
from theory.propagation.populations import SIZES, population


@pytest.mark.parametrize("mean", [0.0, -1.5])
def test_what_a_root_is_distributed_by(mean):
    found = Root(population(mean)).normal
    assert found.mean == pytest.approx(np.full((2, 3), mean), abs=1e-12)
    assert found.deviation**2 == pytest.approx(np.broadcast_to(SIZES, (2, 3)), rel=1e-12)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).standard_normal((4096, 2, 3)),  # normal, but random
        np.tanh(population()),
        np.abs(population()),
        population()[::2].repeat(2, axis=0),
        np.zeros((4096, 2, 3)),
        np.ones((1, 1, 1)),
    ],
    ids=["random", "bounded", "positive", "some", "none", "one"],
)
def test_what_is_no_evenpopulation(values):
    assert Root(values).normal is None
