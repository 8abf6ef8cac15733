"""Windows against loops over positions."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.theory.propagation.covariance import covariance, from_blocks, to_blocks
from fanin.theory.propagation.places import Places, ends
from fanin.theory.propagation.windows import (
    Axis,
    Sums,
    fitted,
    gathered,
    one_block,
    over_blocks,
    returned,
    shares,
)

GEOMETRY = st.fixed_dictionaries(
    {
        "length": st.integers(3, 9),
        "taps": st.integers(1, 3),
        "stride": st.integers(1, 3),
        "before": st.integers(0, 2),
        "dilation": st.integers(1, 2),
    }
)


def _axis(length, taps, stride, before, dilation):
    outputs = (length + 2 * before - dilation * (taps - 1) - 1) // stride + 1
    if outputs <= 0:
        return None, 0
    return Axis.of(length, outputs, taps, stride=stride, before=before, dilation=dilation), outputs


@given(GEOMETRY)
def test_what_taps_read(geometry):
    axis, outputs = _axis(**geometry)
    if axis is None:
        return
    for output, tap in itertools.product(range(outputs), range(geometry["taps"])):
        at = output * geometry["stride"] + tap * geometry["dilation"] - geometry["before"]
        assert axis.inside[output, tap] == (0 <= at < geometry["length"])
        if axis.inside[output, tap]:
            assert axis.source[output, tap] == at


def test_transposed():
    axis = Axis.of(3, 7, 3, stride=1, before=1, dilation=1, between=3)
    read = [source[inside].tolist() for source, inside in zip(axis.source, axis.inside, strict=True)]
    assert read == [[0], [0], [1], [1], [1], [2], [2]]


@given(GEOMETRY)
def test_shares(geometry):
    axis, outputs = _axis(**geometry)
    if axis is None:
        return
    out, into = ends(outputs), ends(geometry["length"])
    found = shares([axis], [out], [into])
    for tap, a, b in itertools.product(range(geometry["taps"]), range(out.max() + 1), range(into.max() + 1)):
        mine = np.flatnonzero(out == a)
        reads = [axis.inside[o, tap] and into[axis.source[o, tap]] == b for o in mine]
        assert found[tap, a, b] == pytest.approx(np.mean(reads))


@given(GEOMETRY)
def test_as_much_is_read_as_is_given(geometry):
    axis, outputs = _axis(**geometry)
    if axis is None:
        return
    found = shares([axis], [ends(outputs)], [ends(geometry["length"])])
    given_, taken = Places.image((outputs,), 2), Places.image((geometry["length"],), 2)
    back = returned(found, given_, taken)
    each = np.einsum("tab,a->t", found, given_.sizes)
    assert np.einsum("tba,b->t", back, taken.sizes) == pytest.approx(each)


@given(GEOMETRY, st.booleans())
def test_weights_of_means(geometry, padding):
    axis, outputs = _axis(**geometry)
    if axis is None:
        return
    found = axis.weights(geometry["length"], padding)
    assert found.shape == (outputs, geometry["length"])
    inside = axis.inside.sum(axis=1)
    if padding:
        assert found.sum(axis=1) == pytest.approx(inside / geometry["taps"])
    else:
        assert found.sum(axis=1) == pytest.approx((inside > 0) * 1.0)


@given(st.integers(3, 6), st.integers(3, 5), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1))
def test_sums_against_all_positions(rows, columns, taps, stride, before):
    """Second moments of windowed means, from those of blocks, are those of the means themselves."""
    axes, outputs = zip(*(_axis(n, taps, stride, before, 1) for n in (rows, columns)), strict=True)
    if None in axes:
        return
    source, target = Places.image((rows, columns), 2), Places.image(outputs, 2)
    weights = [axis.weights(n, True) for axis, n in zip(axes, (rows, columns), strict=True)]
    labels, read = target.labels(outputs), source.labels((rows, columns))
    sums = Sums.of(weights, source, target, labels, read)
    random = np.random.default_rng(rows)
    values = random.normal(size=(40, 2, len(source))) + random.normal(size=(40, 1, 1))
    given_ = covariance(values, source)
    found = sums.moments(given_, source)

    # All positions, with the same second moments.
    whole = np.kron(weights[0], weights[1])
    block = _flat(read, (rows, columns))
    out = _flat(labels, outputs)
    for sample in (0, 1):
        same, apart = to_blocks(given_[0, :, sample], source)
        full = apart[np.ix_(block, block)]
        np.fill_diagonal(full, same[block])
        truth = whole @ full @ whole.T
        wanted = _block_means(truth, out, target)
        assert np.allclose(found[0, :, sample], wanted)


def _flat(labels, shape):
    parts = [label.max() + 1 for label in labels]
    grid = np.meshgrid(*labels, indexing="ij")
    return np.ravel_multi_index([axis.ravel() for axis in grid], parts)


def _block_means(matrix, owner, places):
    """Return a matrix between all places as one between points: means over pairs of blocks."""
    blocks = len(places.sizes)
    same = np.array([np.mean(np.diag(matrix)[owner == a]) for a in range(blocks)])
    apart = np.zeros((blocks, blocks))
    for a, b in itertools.product(range(blocks), range(blocks)):
        part = matrix[np.ix_(owner == a, owner == b)]
        if a == b:
            size = len(part)
            apart[a, a] = (part.sum() - np.trace(part)) / (size * (size - 1)) if size > 1 else same[a]
        else:
            apart[a, b] = part.mean()
    return from_blocks(same, apart, places)


def test_gathered_adds_taps():
    reads = np.ones((3, 1, 1))
    same, apart = gathered(reads, np.array([9.0]), np.array([2.0]), np.array([[0.5]]))
    assert same.tolist() == [6.0]
    assert apart.tolist() == [[1.5]]


@given(GEOMETRY, st.integers(0, 99))
def test_gathered_counts_all_pairs_of_windows(geometry, seed):
    axis, outputs = _axis(**geometry)
    if axis is None:
        return
    out, into = ends(outputs), ends(geometry["length"])
    random = np.random.default_rng(seed)
    same, apart = random.random(into.max() + 1), random.random((into.max() + 1,) * 2)
    apart = apart + apart.T
    between = apart[np.ix_(into, into)]
    np.fill_diagonal(between, same[into])
    source = np.where(axis.inside, axis.source, geometry["length"])
    between = np.pad(between, (0, 1))
    whole = np.sum(between[source[:, None, :], source[None, :, :]], axis=2)
    found = gathered(shares([axis], [out], [into]), np.bincount(out).astype(np.float64), same, apart)
    for one, other in itertools.product(range(out.max() + 1), repeat=2):
        pairs = (out[:, None] == one) & (out == other) & ~np.eye(outputs, dtype=bool)
        if np.any(pairs):
            assert found[1][one, other] == pytest.approx(np.mean(whole[pairs]))
    assert found[0] == pytest.approx([np.mean(np.diag(whole)[out == one]) for one in range(out.max() + 1)])


def test_blocks_that_do_not_fit():
    places = Places((1, 2, 5), 2)
    labels = [np.zeros(4, int), np.zeros(2, int)]
    assert fitted(places, (4, 2), labels) == Places((8,), 2)
    same, apart = one_block(np.array([1.0, 2.0, 3.0]), np.ones((3, 3)), places)
    assert same.tolist() == [(1 + 4 + 15) / 8]
    assert apart.tolist() == [[1.0]]
    given_ = covariance(np.ones((4, 2, 2)), Places((8,), 2))
    assert over_blocks(given_, Places((8,), 2), places).shape == (2, 5, 2, 5)
