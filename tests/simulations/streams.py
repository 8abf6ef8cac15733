"""What is claimed of random values: for each claim, how likely chance alone is to give what was found."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import stats

from fanin.random.fill import fill_normal, fill_truncated_normal, fill_uniform
from fanin.random.philox import key_of

CHUNK = 1 << 21
BINS = 1 << 12
LAGS = (1, 2, 3, 4, 5, 7, 8, 16, 64, 512)

FILLS = {
    "normal": (fill_normal, stats.norm()),
    "truncated normal": (fill_truncated_normal, stats.truncnorm(-2, 2)),
    "upper tail": (partial(fill_truncated_normal, low=3.0, high=np.inf), stats.truncnorm(3, np.inf)),
    "uniform": (fill_uniform, stats.uniform()),
}


class Check(NamedTuple):
    topic: str
    case: str
    p_value: Callable[[int], float]
    """Of as many values; uniform on [0, 1] where the claim holds."""


def chunks(fill, size, key=None):
    """Yield the values of a sequence, some at a time."""
    out = np.empty(CHUNK, np.float32)
    for start in range(0, size, CHUNK):
        part = out[: min(CHUNK, size - start)]
        fill(part, key_of(0, "quality") if key is None else key, start=start)
        yield part.astype(np.float64)


def two_sided(z, count=1):
    """Return the p-value of the largest of some standard normal scores."""
    return float(-np.expm1(count * np.log1p(-2 * stats.norm.sf(np.max(np.abs(z))))))


def kolmogorov_smirnov(fill, law, size):
    """Compare distribution functions at the edges of bins of one probability."""
    edges = law.ppf(np.arange(1, BINS) / BINS)
    found = sum(np.bincount(np.searchsorted(edges, part), minlength=BINS) for part in chunks(fill, size))
    distance = np.abs(np.cumsum(found) / size - np.arange(1, BINS + 1) / BINS).max()
    return float(stats.kstwobign.sf(distance * np.sqrt(size)))


def bins(fill, law, size):
    """Compare counts in bins of one probability."""
    edges = law.ppf(np.arange(1, BINS) / BINS)
    found = sum(np.bincount(np.searchsorted(edges, part), minlength=BINS) for part in chunks(fill, size))
    return float(stats.chisquare(found).pvalue)


def moment(fill, law, size, order):
    total = sum((part**order).sum() for part in chunks(fill, size))
    mean, second = law.moment(order), law.moment(2 * order)
    return two_sided((total / size - mean) / np.sqrt((second - mean**2) / size))


def beyond(side, sds, size):
    found = sum(int((side * part > sds).sum()) for part in chunks(fill_normal, size))
    return float(stats.binomtest(found, size, stats.norm.sf(sds)).pvalue)


def extreme(side, size):
    """Compare the largest value with its own distribution, the n-th power of the values'."""
    largest = max(float((side * part).max()) for part in chunks(fill_normal, size))
    below = np.exp(size * stats.norm.logcdf(largest))
    return float(2 * min(below, 1 - below))


def neighbouring_indices(size):
    """Correlate values with later ones of the same sequence, within chunks."""
    sums, counts = np.zeros(len(LAGS)), np.zeros(len(LAGS))
    for part in chunks(fill_normal, size):
        sums += [part[:-lag] @ part[lag:] for lag in LAGS]
        counts += [len(part) - lag for lag in LAGS]
    return two_sided(sums / np.sqrt(counts), len(LAGS))


def neighbouring_streams(keys, size):
    """Correlate the values, and their squares, of every two sequences; all of them together have `size`."""
    sums = np.zeros((2, len(keys), len(keys)))
    length = size // len(keys)
    for rows in zip(*(chunks(fill_normal, length, key) for key in keys), strict=True):
        values = np.stack(rows)
        squares = (values**2 - 1) / np.sqrt(2)
        sums += np.stack([values @ values.T, squares @ squares.T])
    pairs = np.triu_indices(len(keys), 1)
    return two_sided(sums[:, *pairs] / np.sqrt(length), 2 * len(pairs[0]))


def bits(size):
    """Count the ones in each of the leading 24 bits of uniform values."""
    ones = np.zeros(24)
    for part in chunks(fill_uniform, size):
        numbers = (part * 2**24).astype(np.int64)
        ones += [(numbers >> bit & 1).sum() for bit in range(24)]
    return two_sided((ones - size / 2) / np.sqrt(size / 4), 24)


def checks() -> Iterator[Check]:
    for name, (fill, law) in FILLS.items():
        yield Check("distribution, Kolmogorov-Smirnov", name, partial(kolmogorov_smirnov, fill, law))
        yield Check("distribution, chi squared", name, partial(bins, fill, law))
        for order in (1, 2, 3, 4):
            yield Check(f"moment {order}", name, partial(moment, fill, law, order=order))
    for side, name in ((1, "above"), (-1, "below")):
        for sds in (3, 4, 5):
            yield Check("values in the tail", f"{name} {side * sds} sd", partial(beyond, side, sds))
        yield Check("most extreme value", name, partial(extreme, side))
    yield Check("correlation", "neighbouring indices", neighbouring_indices)
    layers = [key_of(seed, f"layers/{layer}/kernel") for seed in range(4) for layer in range(8)]
    yield Check("correlation", "streams of 4 seeds and 8 layers", partial(neighbouring_streams, layers))
    yield Check("correlation", "streams of 32 keys in turn", partial(neighbouring_streams, range(32)))
    yield Check("bits", "uniform", bits)


CHECKS = tuple(checks())
