"""The mean of a loss is that of PyTorch, whatever a user's loss makes of it."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as f

import fanin
from fanin.frameworks.vitals.means import mean_of

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.standard_normal((8, 6, 5)).astype("float32")
CLASSES = RANDOM.integers(0, 5, (8, 6))
SHARES = RANDOM.dirichlet(np.ones(5), (8, 6)).astype("float32")
BITS = RANDOM.integers(0, 2, (8, 6, 5)).astype("float32")


def oracle(loss, output, target):
    return pytest.approx(loss(torch.tensor(output), torch.tensor(target)).item(), rel=1e-5)


def test_cross_entropy():
    rows = LOGITS.reshape(-1, 5)
    known = oracle(f.cross_entropy, rows, CLASSES.reshape(-1))
    assert mean_of("cross_entropy", LOGITS, CLASSES) == known
    assert mean_of("cross_entropy", LOGITS.swapaxes(1, 2), CLASSES, axis=1) == known
    shares = oracle(f.cross_entropy, rows, SHARES.reshape(-1, 5))
    assert mean_of("cross_entropy", LOGITS, SHARES) == shares
    for made in (torch.softmax, torch.log_softmax):
        outputs = made(torch.tensor(LOGITS), -1).numpy()
        assert mean_of("cross_entropy", outputs, CLASSES, logits=False) == known


def test_labels_that_are_no_class_are_left_out():
    labels = np.where(CLASSES == 0, -100, CLASSES)
    known = oracle(f.cross_entropy, LOGITS.reshape(-1, 5), labels.reshape(-1))
    assert mean_of("cross_entropy", LOGITS, labels) == known
    assert mean_of("cross_entropy", LOGITS, np.full((8, 6), -1)) is None


def test_binary_cross_entropy():
    known = oracle(f.binary_cross_entropy_with_logits, LOGITS, BITS)
    assert mean_of("binary_cross_entropy", LOGITS, BITS.reshape(-1)) == known
    shares = 1 / (1 + np.exp(-LOGITS))
    assert mean_of("binary_cross_entropy", shares, BITS, logits=False) == known


def test_squares():
    assert mean_of("mse", LOGITS, BITS) == oracle(f.mse_loss, LOGITS, BITS)


@pytest.mark.parametrize("kind", ["cross_entropy", "binary_cross_entropy", "mse", "other"])
def test_what_does_not_fit_has_none(kind):
    assert mean_of(kind, LOGITS, CLASSES[:3]) is None


@pytest.mark.parametrize("name", ["sum", "mean"])
def test_a_sum_of_losses_is_no_high_loss(name):
    keras = pytest.importorskip("keras")
    optax = pytest.importorskip("optax")
    x, y = RANDOM.standard_normal((64, 20)).astype("float32"), np.arange(64) % 5
    w = RANDOM.standard_normal((20, 5)).astype("float32") / 20

    def loss(outputs, targets):
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, targets)
        return getattr(losses, name)()

    found = fanin.diagnose(lambda params, x: x @ params["w"], x, y, loss=loss, params={"w": w})
    assert not found.findings
    assert found.vitals.output.mean == pytest.approx(math.log(5), abs=0.1)
    model = keras.Sequential([keras.layers.Input((20,)), keras.layers.Dense(5)])
    model.layers[0].set_weights([w, np.zeros(5)])
    kept = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="sum" if name == "sum" else "sum_over_batch_size"
    )
    assert not fanin.diagnose(model, x, y, loss=kept).findings
