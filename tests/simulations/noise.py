"""Scores whose truth is known: (studies, schemes, seeds) arrays of one distribution, or of several."""

import numpy as np


def normal(rng, shape):
    return rng.normal(size=shape)


def uniform(rng, shape):
    return rng.random(shape)


def exponential(rng, shape):
    return rng.exponential(size=shape)


def lognormal(rng, shape):
    return rng.lognormal(size=shape)


def heavy_tails(rng, shape):
    return rng.standard_t(2, size=shape)


def some_stuck(rng, shape):
    return np.where(rng.random(shape) < 0.1, rng.normal(0.5, 0.05, shape), rng.normal(0.92, 0.01, shape))


def accuracy_of_50(rng, shape):
    return rng.binomial(50, 0.92, size=shape) / 50


def tenth_failed(rng, shape):
    return np.where(rng.random(shape) < 0.1, -np.inf, rng.normal(size=shape))


def twentieth_failed(rng, shape):
    return np.where(rng.random(shape) < 0.05, -np.inf, rng.normal(size=shape))


def scatter_by_scheme(rng, shape):
    """Schemes with the same center, of which some scatter a hundred times as much as others."""
    scales = np.array([1, 0.1, 0.3, 1, 3, 10, 1, 1])
    return rng.normal(size=shape) * scales[: shape[1], None]


def control_scatters(rng, shape):
    return rng.normal(size=shape) * np.where(np.arange(shape[1]) == 0, 10, 1)[:, None]


def scatter_by_seed(rng, shape):
    """Skewed, and some seeds scatter more than others under every scheme."""
    return rng.exponential(size=shape) * rng.lognormal(size=(shape[0], 1, shape[2]))


def shared_by_seed(rng, shape):
    """A seed that is good for one scheme is good for all."""
    return rng.exponential(size=shape) + 3 * rng.normal(size=(shape[0], 1, shape[2]))


def one_skewed(rng, shape):
    """Schemes with the same mean of which the control alone is skewed: not alike."""
    scores = rng.normal(size=shape) * 0.1
    scores[:, 0] = rng.exponential(size=(shape[0], shape[2])) - 1
    return scores


ALIKE = (
    normal,
    lognormal,
    heavy_tails,
    some_stuck,
    accuracy_of_50,
    tenth_failed,
    scatter_by_scheme,
    control_scatters,
    scatter_by_seed,
    shared_by_seed,
)
"""No scheme is better than another."""

SHAPES = (normal, uniform, exponential, lognormal, heavy_tails, some_stuck, accuracy_of_50, twentieth_failed)
"""Every score is drawn from one distribution."""
