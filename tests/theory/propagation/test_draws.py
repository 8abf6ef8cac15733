"""Numbers that fill the space evenly."""

import numpy as np
import pytest
from scipy import stats

from fanin.theory.propagation.draws import Normals, graded, levels, repeated, some

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


def test_columns_have_exact_moments():
    drawn = Normals(ROWS, 4).take(8)
    assert np.allclose(np.mean(drawn, axis=0), 0.0, atol=1e-12)
    assert np.allclose(np.mean(drawn**2, axis=0), 1.0)
    assert np.allclose(np.mean(drawn**4, axis=0), 3.0, rtol=2e-3)


@pytest.mark.parametrize("part", [slice(0, ROWS // 4), slice(ROWS // 2, ROWS), slice(ROWS // 8, ROWS // 4)])
def test_parts_are_as_even_as_all(part):
    drawn = Normals(ROWS, 5).take(8)[part]
    rows = len(drawn)
    assert np.max(np.abs(np.mean(drawn, axis=0))) < 0.1 / np.sqrt(rows)
    assert np.max(np.abs(np.mean(drawn**2, axis=0) - 1)) < 0.3 / np.sqrt(rows)
    products = drawn.T @ drawn / rows - np.eye(8)
    assert np.max(np.abs(products)) < 1.5 / np.sqrt(rows)


def test_orders_are_random():
    first = {tuple(np.argsort(Normals(8, seed).take(1)[:, 0])) for seed in range(64)}
    assert len(first) > 32


def test_graded_values_keep_their_order():
    given = np.random.default_rng(0).gamma(2.0, size=(ROWS, 2, 3))
    found = graded(given)
    for sample in range(2):
        for point in range(3):
            assert stats.spearmanr(found[:, sample, point], given[:, sample, point]).statistic > 0.9999
    assert np.allclose(np.mean(found > 0, axis=0), 0.5)
    assert np.allclose(np.mean(found**2, axis=0), 1.0)


@pytest.mark.parametrize("rows", [2, 64, 4096])
def test_levels(rows):
    found = levels(rows)
    assert np.mean(found**2) == pytest.approx(1.0)
    assert np.all(np.diff(found) > 0)
    # Each is the root mean square of its part of the distribution.
    x = np.linspace(stats.norm.ppf(0.5), stats.norm.ppf(0.5 + 1 / rows), 2001)[:-1] if rows > 2 else None
    if x is not None:
        assert found[rows // 2] == pytest.approx(
            np.sqrt(np.average(x**2, weights=stats.norm.pdf(x))), rel=1e-3
        )


@pytest.mark.parametrize(("count", "rows"), [(1, 64), (5, 64), (37, 64), (64, 64), (300, 4096), (3277, 4096)])
def test_some_rows_and_what_repeats_them(count, rows):
    found, back = some(count, rows), repeated(count, rows)
    assert np.all(np.diff(found) > 0)
    assert found[-1] < rows
    assert np.array_equal(back[found], np.arange(count))
    often = np.bincount(back, minlength=count)
    assert np.all(np.abs(often - rows / count) <= 0.5 * rows / count + 1)
    # They are so along all of the rows.
    assert np.max(np.abs(found / rows - np.arange(count) / count)) < 0.01 + 1 / count


def test_some_of_one_row():
    assert some(5, 1).tolist() == [0] * 5


def test_one_of_each_range():
    starts = np.arange(0, 100, 5)
    found = Normals(64, 0).among(starts, starts + 5)
    assert np.all((found >= starts) & (found < starts + 5))
    assert len(set((found - starts).tolist())) > 1


def test_seeds():
    assert np.array_equal(Normals(64, 3).take(2), Normals(64, 3).take(2))
    assert not np.array_equal(Normals(64, 3).take(2), Normals(64, 4).take(2))
