"""Numbers that fill the space evenly."""

import numpy as np
import pytest
from scipy import stats

from fanin.theory.propagation.draws import Normals

ROWS = 4096


def test_moments_are_better_than_those_of_chance():
    drawn = Normals(ROWS, 0).take(8)
    assert np.max(np.abs(drawn.mean(axis=0))) < 0.1 / np.sqrt(ROWS)
    assert np.max(np.abs((drawn**2).mean(axis=0) - 1)) < 0.2 / np.sqrt(ROWS)
    products = drawn.T @ drawn / ROWS - np.eye(8)
    assert np.max(np.abs(products)) < 1.5 / np.sqrt(ROWS)


def test_columns_are_normal():
    for column in Normals(ROWS, 1).take(4).T:
        assert stats.kstest(column, "norm").statistic < 2 / np.sqrt(ROWS)


def test_nets_know_nothing_of_each_other():
    normals = Normals(ROWS, 2)
    one, other = normals.take(32), normals.take(32)
    assert np.max(np.abs(one.T @ other)) / ROWS < 6 / np.sqrt(ROWS)


@pytest.mark.parametrize("columns", [1, 7, 40, 100])
def test_shapes(columns):
    normals = Normals(64, 0)
    assert normals.take(columns).shape == (64, columns)
    assert np.all(np.isfinite(normals.take(columns)))
    assert normals.independent((3, 2)).shape == (3, 2)


def test_columns_are_taken_once():
    normals = Normals(64, 0)
    parts = [normals.take(5) for _ in range(6)]
    assert len({column.tobytes() for part in parts for column in part.T}) == 30


def test_uniform_numbers():
    drawn = Normals(ROWS, 0).uniform((2, 3))
    assert drawn.shape == (ROWS, 2, 3)
    assert np.max(np.abs(drawn.mean(axis=0) - 0.5)) < 1e-3
    assert np.max(np.abs((drawn < 0.1).mean(axis=0) - 0.1)) < 1e-3
    assert abs(np.corrcoef(drawn[:, 0, 0], drawn[:, 1, 2])[0, 1]) < 6 / np.sqrt(ROWS)


def test_shuffled_rows():
    assert sorted(Normals(64, 0).shuffled()) == list(range(64))


def test_one_of_each_range():
    starts = np.arange(0, 100, 5)
    found = Normals(64, 0).among(starts, starts + 5)
    assert np.all((found >= starts) & (found < starts + 5))
    assert len(set((found - starts).tolist())) > 1


def test_seeds():
    assert np.array_equal(Normals(64, 3).take(2), Normals(64, 3).take(2))
    assert not np.array_equal(Normals(64, 3).take(2), Normals(64, 4).take(2))
