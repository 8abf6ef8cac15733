"""What random heads of attention say of how positions are weighed together."""

import numpy as np
import pytest

from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rotary import Turns
from fanin.theory.propagation.rules.heads import Heads
from fanin.theory.propagation.rules.turning import Turning

KEYS, PAIRS = 4, 3
ANGLES = np.array([0.0, 0.7, 1.9, 3.0])[:, None] / np.array([1.0, 3.0, 40.0])


def _weights(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _heads(weights, turns=None):
    """Return heads of one query, with these weights, (heads, keys)."""
    of_both = np.repeat(weights[:, None, None], SAMPLES, axis=1)
    nothing = np.zeros((1, 1, 1, 1))
    return Heads(Places(), Places((KEYS,)), nothing, nothing, of_both, 1.0, turns)


def _turning(angles):
    """Return keys at these angles, (keys, pairs), and queries at none."""
    return Turning.of(Turns(np.zeros((1, PAIRS)), angles), np.zeros((1, 1), int))


@pytest.mark.parametrize("keys", [1, 2, 4])
def test_uniform_weights(keys):
    """The first position of a causal text sees itself alone."""
    weights = np.where(np.arange(KEYS) < keys, 1 / keys, 0.0)[None]
    assert _heads(weights).apart() == pytest.approx(np.full((SAMPLES, 1), 1 - 1 / keys), abs=1e-12)


@pytest.mark.parametrize("size", [0.5, 1.0])
@pytest.mark.parametrize("angles", [np.zeros((KEYS, PAIRS)), ANGLES], ids=["plain", "turned"])
def test_keys_that_overlap(size, angles):
    """With n channels E sum_jj' A_j A_j' x_j . x_j' / n gains size apart / n for logits of that size."""
    channels, draws, random = 160, 50_000, np.random.default_rng(0)
    alike = np.mean(np.cos(angles[:, None] - angles), axis=-1)
    gained, limits = [], []
    for _ in range(4):
        x = random.standard_normal((draws, KEYS, channels)) / np.sqrt(channels)
        products, drawn = x @ x.swapaxes(1, 2), np.sqrt(size) * random.standard_normal((draws, KEYS))
        root = np.linalg.cholesky(alike * products)
        weights, limit = _weights((root @ drawn[..., None])[..., 0]), _weights(drawn)
        sums = np.einsum("nj,njk,nk->n", weights, products, weights)
        gained.append(sums - np.sum(limit**2, axis=1))
        limits.append(limit)
    heads = _heads(np.concatenate(limits), _turning(angles) if angles.any() else None)
    wanted, error = heads.apart()[0, 0] * size / channels, np.std(gained) / np.sqrt(4 * draws)
    assert error < 0.08 * wanted
    assert np.mean(gained) == pytest.approx(wanted, abs=3 * error + 0.02 * wanted)
