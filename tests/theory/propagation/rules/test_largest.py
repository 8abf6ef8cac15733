"""Gradients of the largest of each window, against counting and simulations."""

import numpy as np
import pytest

from fanin.theory.propagation.cotangent import Part
from fanin.theory.propagation.covariance import joined
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.places import Places, ends, pair_counts
from fanin.theory.propagation.rules.largest import Largest, repeated
from fanin.theory.propagation.windows import Axis
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

C = 64


@pytest.mark.parametrize("zeros", [0.0, 0.8])
@pytest.mark.parametrize(("taps", "stride", "before"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (4, 2, 0)])
def test_windows_that_share_a_position(taps, stride, before, zeros):
    """In an image of independent values, some of which are 0."""
    length = 9
    outputs = (length + 2 * before - taps) // stride + 1
    axis = Axis.of(length, outputs, taps, stride=stride, before=before, dilation=1)
    places = Places.image((outputs, outputs), 2)
    found = repeated([axis, axis], places, 1 - zeros ** np.arange(2 * taps**2 + 1))
    random, draws = np.random.default_rng(0), 4000
    image = np.maximum(random.random((draws, length + 2 * before, length + 2 * before)) - zeros, 0)
    inside = np.pad(np.ones((length, length)), before)
    windows = np.lib.stride_tricks.sliding_window_view(image * inside, (taps, taps), axis=(1, 2))
    largest = windows[:, ::stride, ::stride].max(axis=(3, 4)).reshape(draws, -1)
    for point, (row, column) in enumerate(places.coordinates):
        window = windows[:, row * stride, column * stride].reshape(draws, -1)
        mine = (window == window.max(axis=1, keepdims=True)) & (window > 0)
        others = np.sum(largest == window.max(axis=1, keepdims=True), axis=1) - 1
        counted = mine.T @ others / np.maximum(mine.sum(axis=0), 1)
        error = np.std(others[np.any(mine, axis=1)]) / np.sqrt(np.maximum(mine.sum(axis=0), 1))
        assert np.all(np.abs(found[point] - counted) < 4.5 * error + 1e-9)


def test_sums_over_positions_are_those_over_windows():
    """Of two windows that share no position, each with its largest value at random."""
    axis = Axis.of(8, 4, 2, stride=2, before=0, dilation=1)
    places, source = Places.image((4, 4), 2), Places.image((8, 8), 24)
    rows, random = 4096, np.random.default_rng(0)
    dealt = _in_order(axis, places, source)
    taken = np.eye(4)[random.integers(0, 4, (rows, 2, len(places)))]
    given = joined(np.eye(len(places)) * 0.6 + 0.4, np.full((len(places),) * 2, 0.3))
    back = Largest.of(dealt, np.ones(9), [axis, axis], places, source)
    parts = back.parts(Part(np.ones((1, 1, 1)), given), taken, np.ones(taken.shape[:3]) > 0)
    total = sum(np.sum(pair_counts(source, 5) * part.covariance(source)) for part in parts)
    assert total == pytest.approx(np.sum(pair_counts(places, 5) * given), rel=0.01)


def _in_order(axis, places, source):
    """Return points for the taps of windows, each block's one after the other."""
    starts = np.cumsum([0, *source.counts[:-1]])
    used = np.zeros(len(starts), int)
    label = ends(8)
    dealt = np.empty((len(places), 4), int)
    for window, (row, column) in enumerate(places.coordinates):
        rows, columns = label[axis.source[row]], label[axis.source[column]]
        for tap, block in enumerate((rows[:, None] * 3 + columns).ravel()):
            dealt[window, tap] = starts[block] + used[block] % source.counts[block]
            used[block] += 1
    return dealt


@pytest.mark.parametrize(
    "options", [{"window": (2, 2), "stride": 2}, {"window": (3, 3), "stride": 2, "padding": 1}]
)
def test_before_a_global_mean(options):
    """What all positions have in common adds up in the gradients of weights."""
    m = Maker()
    x = m.input(3, C, 12, 12)
    y = m.convolution(x, C, (3, 3), padding=1, bias=0.0)
    out = m.reduce(m.pool(m.apply("relu", y), "max", **options), "mean", (2, 3))
    law = InputLaw(position=0.3, example=0.2)
    agree(m.graph(out), [y], {x: law}, tolerance=0.02)  # windows that share, of values that go together


def test_zeros_that_are_all_of_a_window():
    """Their gradient is that of the first one, which is another one in each window."""
    m = Maker()
    x = m.input(3, 192, 8, 8)
    y = m.convolution(x, 192, (1, 1), bias=0.0)
    rectified = m.apply("relu", y)
    out = m.reduce(m.pool(rectified, "max", (2, 2)), "mean", (2, 3))
    agree(m.graph(out), [y, rectified], {x: InputLaw(position=0.6)})
