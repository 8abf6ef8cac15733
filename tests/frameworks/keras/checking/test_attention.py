"""The logits of an attention make the weights that it has."""

import keras
import numpy as np
import pytest
from scipy.special import softmax

from fanin.frameworks.keras.checking.attention import logits_of_attention

RANDOM = np.random.default_rng(0)
Q = RANDOM.normal(size=(2, 5, 4, 8)).astype("float32")
K, V = (RANDOM.normal(size=(2, 7, 2, 8)).astype("float32") for _ in range(2))
MASK = RANDOM.uniform(size=(2, 1, 5, 7)) > 0.4
MASK[..., 0] = True


@pytest.mark.parametrize(
    "options",
    [{}, {"mask": MASK}, {"scale": 0.1}, {"bias": RANDOM.normal(size=(2, 4, 5, 7)).astype("float32")}],
)
def test_values_times_the_weights_are_the_result(options):
    weights = softmax(logits_of_attention(Q, K, **options), -1)
    assert np.allclose(weights.sum(-1), 1, atol=1e-5)
    found = np.einsum("bhqk,bkhd->bqhd", weights, np.repeat(V, 2, 2))
    assert np.allclose(found, keras.ops.dot_product_attention(Q, K, V, **options), atol=1e-4)


def test_later_keys_are_not_seen():
    k, v = K[:, :5], V[:, :5]
    weights = softmax(logits_of_attention(Q, k, causal=True), -1)
    found = np.einsum("bhqk,bkhd->bqhd", weights, np.repeat(v, 2, 2))
    assert np.allclose(found, keras.ops.dot_product_attention(Q, k, v, is_causal=True), atol=1e-4)
    assert (weights[..., np.triu_indices(5, 1)[0], np.triu_indices(5, 1)[1]] == 0).all()
