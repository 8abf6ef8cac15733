"""Inputs and targets from arrays."""

import math

import numpy as np
import pytest
import torch

from fanin.frameworks.torch.checking.batch import Batch
from fanin.frameworks.vitals.inputs import as_array, input_of, random_target, target_of

RANDOM = np.random.default_rng(0)


def test_arrays():
    assert as_array(torch.ones(3, requires_grad=True)).dtype == np.float32
    assert as_array(np.ones(3)).dtype == np.float32
    assert as_array(np.arange(3)).dtype == np.int64
    assert as_array("text") == "text"


def test_features():
    value = RANDOM.normal(size=(50, 4)).astype("float32") * [1, 1000, 0, 1]
    found = input_of("x", value)
    assert found.constant == 0.25
    assert found.features[1] / found.features[0] > 500
    assert input_of("x", np.zeros((5, 3))).constant == 1.0
    assert input_of("ids", np.arange(6).reshape(2, 3)).tokens
    assert not input_of("pixels", np.zeros((2, 3), np.uint8)).tokens


def test_features_that_are_rarely_lit():
    """How often a feature is lit is not how large it is; one that is lit in three examples says nothing."""
    pixels = np.zeros((256, 4), "float32")
    pixels[:, 0] = RANDOM.uniform(size=256)
    pixels[:8, 1], pixels[:3, 2], pixels[:, 3] = 0.5, 1e-6, np.arange(256) % 2
    low, high = input_of("x", pixels).features
    assert 0.2 < low < high == pytest.approx(0.5, rel=0.01)
    pixels[:8, 1] = 1000  # an income beside shares, even if few have one
    assert input_of("x", pixels).features[1] == 1000
    torch_found = next(iter(Batch.of(torch.tensor(pixels), like=torch.nn.Linear(4, 1)).inputs()))
    assert torch_found.features == pytest.approx(input_of("x", pixels).features)


def test_targets_of_classes():
    even = np.tile(np.arange(5), 20)
    assert target_of("cross_entropy", even, (100, 5)).entropy == pytest.approx(math.log(5))
    hot = np.eye(5, dtype="float32")[even]
    assert target_of("cross_entropy", hot, (100, 5)).entropy == pytest.approx(math.log(5))
    masked = np.where(np.arange(100) < 50, -1, 2)
    assert target_of("cross_entropy", masked, (100, 5)).entropy == pytest.approx(0)


def test_other_targets():
    found = target_of("mse", np.array([1.0, 3.0]), (2, 1))
    assert (found.mean, found.variance, found.classes) == (2.0, 1.0, 0)
    assert target_of("binary_cross_entropy", np.array([0, 1]), (2, 1)).entropy == pytest.approx(math.log(2))
    assert target_of("other", np.array([1.0]), (1, 1)) is None
    assert target_of("other", np.array([[1], [3]]), (2, 1)) is None
    assert target_of("other", np.array([[1.0], [3.0]]), (2, 1)) == found


def test_targets_at_random():
    classes = random_target("cross_entropy", (4, 6, 10), RANDOM)
    assert classes.shape == (4, 6)
    assert 0 <= classes.min() <= classes.max() < 10
    assert set(np.unique(random_target("binary_cross_entropy", (40, 2), RANDOM))) == {0.0, 1.0}
    assert random_target("mse", (40, 2), RANDOM).shape == (40, 2)
