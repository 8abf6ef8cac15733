"""Statistics of units in NumPy are those that PyTorch has on its tensors."""

import numpy as np
import pytest
import torch

from fanin.frameworks import units
from fanin.frameworks.torch.checking import units as torchs

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "small": RANDOM.normal(size=(12, 7)).astype("float32"),
    "wide": RANDOM.normal(3, 2, size=(64, 96, 50)).astype("float32"),
    "sparse": np.maximum(RANDOM.normal(size=(300, 40)), 0).astype("float32") * (np.arange(40) % 3 > 0),
    "broken": np.array([[1.0, np.nan], [np.inf, -3.0]], "float32"),
    "large": np.full((4, 4), 1e30, "float32") * np.arange(4, dtype="float32"),
    "nothing": np.zeros((5, 3), "float32"),
    "whole": RANDOM.integers(0, 9, (6, 5)),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("whole", [False, True])
def test_spread(name, whole):
    found, there = (
        units.spread(ARRAYS[name], whole=whole),
        torchs.spread(torch.tensor(ARRAYS[name]), whole=whole),
    )
    assert (found.finite, found.largest) == (there.finite, there.largest)
    assert found.mean == pytest.approx(there.mean, rel=1e-5, abs=1e-6)
    assert found.sd == pytest.approx(there.sd, rel=1e-5)


@pytest.mark.parametrize("name", ["small", "wide", "sparse", "nothing"])
def test_units(name):
    array, tensor = ARRAYS[name], torch.tensor(ARRAYS[name])
    rows, there = units.by_unit(array, (1,)), torchs.by_unit(tensor, 1)
    assert np.array_equal(rows, there.numpy())
    assert units.zeros(array) == pytest.approx(torchs.zeros(tensor))
    assert units.dead(rows) == (
        None if len(array) < torchs.PLACES else pytest.approx(torchs.dead(there), abs=1e-6)
    )
    cosine = torchs.similarity(tensor)
    if cosine[0] is None:
        assert units.similarity(array) == cosine
    else:
        assert units.similarity(array) == pytest.approx(cosine, rel=1e-4, abs=1e-5)
    prints = units.fingerprints(rows)
    assert prints == pytest.approx(torchs.fingerprints(there).numpy(), rel=1e-3, abs=1e-2)
    assert np.array_equal(units.twins(prints), torchs.twins(torch.tensor(prints)).numpy())


def test_twins_are_equal_in_all_prints():
    rows = RANDOM.normal(size=(6, 300)).astype("float32")
    rows[4], back = rows[1], RANDOM.normal(size=(6, 300)).astype("float32")
    prints = units.fingerprints(rows)
    assert units.twins(prints).tolist() == [False, True, False, False, True, False]
    assert not units.twins(prints, units.fingerprints(back)).any()
    scales = np.array([1e6, 1, 1, 1, 1, 1e-6])[:, None]
    assert units.twins(units.fingerprints(rows * scales)).sum() == 2, "small ones do not equal each other"


@pytest.mark.parametrize("function", sorted(units.SATURATING))
def test_saturated(function):
    assert units.SATURATING == torchs.SATURATING
    array = RANDOM.uniform(-1, 1, (50, 20)).astype("float32")
    assert units.saturated(array, function) == pytest.approx(
        torchs.saturated(torch.tensor(array), function), abs=1e-6
    )


def test_entropy():
    logits = RANDOM.normal(size=(2, 3, 8, 8)).astype("float32")
    later = np.triu(np.ones((8, 8), bool), 1)
    masks = [np.where(later, hidden, logits) for hidden in (-np.inf, -1e9, -100)]
    masks += [logits + later * np.float32(-1e4), np.where(later[::-1], -1e9, masks[0])]
    for masked in masks:
        assert units.entropy(masked) == pytest.approx(torchs.entropy(torch.tensor(masked)), rel=1e-5)
    assert units.entropy(masks[0]) == pytest.approx(units.entropy(masks[1]), rel=1e-5)
    assert units.entropy(masks[0]) == pytest.approx(units.entropy(masks[3]), rel=1e-3)
    assert units.entropy(np.ones((4, 1), "float32")) is None


@pytest.mark.parametrize("sd", [50, 1e3, 1e5])
def test_large_logits_are_no_mask(sd):
    """Most weights are exactly 0, and yet a query sees all keys."""
    logits = (sd * RANDOM.normal(size=(4, 32, 32))).astype("float32")
    assert units.entropy(logits) < 0.1
    masked = np.where(np.triu(np.ones((32, 32), bool), 1), -1e9, logits)
    assert units.entropy(masked) < 0.15


def test_units_of_several_axes():
    array = RANDOM.normal(size=(2, 5, 3, 4))
    rows = units.by_unit(array, (2, 3))
    assert np.array_equal(rows[7], array[:, :, 1, 3].reshape(-1))
    assert np.array_equal(rows, units.by_unit(array, (-2, -1)))


@pytest.mark.parametrize(
    ("values", "gradient", "found"),
    [
        (np.zeros((4, 3)), np.ones((4, 1)) * np.arange(3.0), 4),
        (np.zeros((4, 3)), np.arange(12.0).reshape(4, 3), 0),
        (np.zeros((4, 3)), np.array([[0, 0, 0], [1, 2, 3], [1, 2, 3], [0, 0, 0]]), 2),
        (np.zeros((4, 3)), np.zeros((4, 3)), 0),
        (np.arange(12.0).reshape(4, 3), np.ones((4, 3)), 0),
        (np.tile(np.arange(4.0)[:, None], 3), np.tile(np.arange(4.0)[:, None], 3), 3),
        (np.ones(5), np.ones(5), 0),
    ],
)
def test_copies(values, gradient, found):
    assert units.copies(values, gradient.astype(float)) == found
    assert torchs.copies(torch.tensor(values), torch.tensor(gradient.astype(float))) == found
