"""Places that stand for all positions."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.theory.propagation.places import Places, causal, ends, pair_counts

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=6).map(tuple)


@given(SIZES, st.integers(1, 6), st.integers(1, 50))
def test_pairs_sum_to_all(sizes, points, examples):
    places = Places(sizes, points)
    total = places.total
    assert total == sum(sizes)
    assert places.share.sum() == pytest.approx(total)
    if points > 1:
        assert places.pairs.sum() == pytest.approx(total**2)
        assert pair_counts(places, examples).sum() == pytest.approx((examples * total) ** 2)


@given(SIZES, st.integers(2, 6), st.integers(1, 9))
def test_pairs_against_all_positions(sizes, points, examples):
    """A product that depends on blocks, on being the same position and the same example only."""
    places = Places(sizes, points)
    blocks = np.repeat(np.arange(len(sizes)), sizes)
    level = 1.0 + np.arange(len(sizes))

    def product(first, second):
        (n, p, a), (m, q, b) = first, second
        return level[a] * level[b] * (3.0 if p == q else 1.0) * (5.0 if n == m else 1.0)

    count = min(examples, 3)
    everything = [(n, p, blocks[p]) for n in range(count) for p in range(places.total)][:120]
    if len(everything) < count * places.total:
        return
    truth = sum(product(one, other) for one, other in itertools.product(everything, everything))
    owner = places.owner
    counts = pair_counts(places, count)
    found = 0.0
    for n, m in itertools.product(range(2), range(2)):
        for p, q in itertools.product(range(len(places)), range(len(places))):
            found += counts[n, p, m, q] * product((n, p, owner[p]), (m, q, owner[q]))
    assert found == pytest.approx(truth)


@given(SIZES, st.integers(1, 6))
def test_points_of_blocks(sizes, points):
    places = Places(sizes, points)
    assert len(places) == len(places.owner) == len(places.share) == len(places.positions)
    assert all(1 <= count <= points for count in places.counts)
    # Each point lies in its block.
    starts = np.cumsum([0, *sizes])
    for point, block in zip(places.positions, places.owner, strict=True):
        assert starts[block] <= point < starts[block + 1]
    assert len(set(places.positions.tolist())) == len(places)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple), st.integers(1, 6))
def test_images(shape, points):
    places = Places.image(shape, points)
    assert places.total == np.prod(shape)
    labels = places.labels(shape)
    parts = [label.max() + 1 for label in labels]
    assert len(places.sizes) == np.prod(parts)
    # Each point is a place of the image, and of its block.
    for place, block in zip(places.coordinates, places.owner, strict=True):
        inside = [label[at] for label, at in zip(labels, place, strict=True)]
        assert np.ravel_multi_index(inside, parts) == block
    assert np.array_equal(places.positions, np.ravel_multi_index(tuple(places.coordinates.T), shape))


def test_few_points_of_a_block_are_even_along_each_axis():
    places = Places.image((10, 10), 4)
    inside = places.coordinates[places.owner == np.argmax(places.sizes)]
    assert sorted(inside[:, 0]) == [2, 4, 6, 8]
    assert np.ptp(inside[:, 1]) >= 6


def test_labels_of_other_images():
    places = Places.image((4, 4), 2)
    assert [label.tolist() for label in places.labels((2, 8))] == [[0, 0], [0] * 8]
    assert Places((2, 3)).labels((5,))[0].tolist() == [0, 0, 1, 1, 1]


@given(st.integers(1, 5000))
def test_causal_blocks(length):
    sizes = causal(length)
    assert sum(sizes) == length
    assert len(sizes) <= np.log2(length) + 6
    assert set(sizes[:8]) == {1}


@pytest.mark.parametrize(("length", "wanted"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (5, [0, 1, 1, 1, 2])])
def test_ends(length, wanted):
    assert ends(length).tolist() == wanted


def test_one_example():
    counts = pair_counts(Places((4,)), 1)
    assert counts.sum() == 16
    assert np.all(counts[1] == 0)
