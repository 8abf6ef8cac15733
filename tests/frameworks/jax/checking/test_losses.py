"""What a user's loss is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fanin
from fanin import FaninError

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(32, 6)).astype("float32"), np.arange(32) % 4
HOT = np.eye(4, dtype="float32")[Y]
PARAMS = {"w": RANDOM.normal(size=(6, 4)).astype("float32")}
SAME = jnp.asarray


def told(ends, loss, y):
    def model(params, x):
        return ends(x @ params["w"])

    return fanin.diagnose(model, X, y, loss=loss, params=PARAMS).vitals


def picked(logs, y):
    return -jnp.take_along_axis(logs, y[:, None], 1).mean()


LOSSES = [
    (SAME, lambda o, y: picked(jax.nn.log_softmax(o), y), Y, "cross_entropy", True),
    (SAME, lambda o, y: -(y * jax.nn.log_softmax(o)).sum(-1), HOT, "cross_entropy", True),
    (SAME, lambda o, y: ((o - y) ** 2).mean(), HOT, "mse", True),
    (SAME, lambda o, y: (jax.nn.softplus(o) - y * o).mean(), HOT, "binary_cross_entropy", True),
    (jax.nn.softmax, lambda o, y: -jnp.log(o[jnp.arange(32), y] + 1e-9).mean(), Y, "cross_entropy", False),
    (jax.nn.log_softmax, picked, Y, "cross_entropy", False),
    (
        jax.nn.sigmoid,
        lambda o, y: -(y * jnp.log(o) + (1 - y) * jnp.log(1 - o)).mean(),
        HOT,
        "binary_cross_entropy",
        False,
    ),
    (SAME, lambda o, y: jnp.abs(o - y).mean(), HOT, "other", True),
    (SAME, lambda o, y: 3 * ((o - y) ** 2).mean(), HOT, "other", True),
]


@pytest.mark.parametrize(("ends", "loss", "y", "kind", "logits"), LOSSES)
def test_kinds(ends, loss, y, kind, logits):
    found = told(ends, loss, y)
    assert (found.output.kind, found.output.logits) == (kind, logits)
    assert found.output.loss == pytest.approx(float(jnp.mean(loss(ends(X @ PARAMS["w"]), y))), rel=1e-4)
    assert found.target is not None
    if kind == "other":
        assert found.target.classes == 0


def test_which_output():
    def model(params, x):
        return {"hidden": x, "scores": x @ params["w"]}

    def loss(outputs, y):
        return picked(jax.nn.log_softmax(outputs["scores"]), y)

    output = fanin.diagnose(model, X, Y, loss=loss, params=PARAMS).vitals.output
    assert (output.shape, output.kind) == ((32, 4), "cross_entropy")


def test_a_model_that_returns_its_loss():
    def model(params, x, y):
        return picked(jax.nn.log_softmax(x @ params["w"]), y)

    found = fanin.diagnose(model, (X, Y), params=PARAMS).vitals
    output = found.output
    assert (output.kind, output.layer, output.shape) == ("cross_entropy", "w", (32, 4))
    assert output.values.sd == pytest.approx(float((X @ PARAMS["w"]).std()), rel=1e-4)
    assert (found.target.classes, found.target.entropy) == (4, pytest.approx(np.log(4)))


def test_without_a_loss():
    found = told(SAME, None, None)
    assert (found.output.kind, found.output.loss, found.target) == ("none", None, None)
    assert all(one.gradient > 0 for one in found.trained)


def test_targets_at_random():
    found = told(SAME, "cross_entropy", None)
    assert found.target.classes == 4
    assert found.output.loss == told(SAME, "cross_entropy", None).output.loss


def test_bad_losses():
    with pytest.raises(FaninError, match="There is no loss 'hinge'"):
        told(SAME, "hinge", Y)
    with pytest.raises(FaninError, match="is no loss"):
        told(SAME, 3, Y)
    with pytest.raises(FaninError, match="fails: TypeError"):
        told(SAME, lambda o, y: o - "a", Y)
    with pytest.raises(FaninError, match="does not depend"):
        told(SAME, lambda o, y: jax.lax.stop_gradient(o).mean(), Y)
    with pytest.raises(FaninError, match="returns"):
        told(SAME, lambda o, y: o.argmax(), Y)


@pytest.mark.parametrize(
    ("loss", "broadcast"),
    [
        (lambda o, y: jnp.square(o - y).mean(), True),
        (lambda o, y: jnp.abs(y - o).sum(), True),
        (lambda o, y: jnp.where(jnp.abs(o - y) < 1, jnp.square(o - y), 1).mean(), True),
        (lambda o, y: jnp.square(o[:, 0] - y).mean(), False),
        (lambda o, y: jnp.square(o - y[:, None]).mean(), False),
        (lambda o, y: jax.nn.relu(1 - (o - o.T) * jnp.sign(y[:, None] - y)).mean(), False),  # ranks
        (lambda o, y: jnp.abs(o - y).mean() - jnp.abs(o - o.T).mean() / 2, False),  # distance of two sets
        ("mse", False),
    ],
)
def test_all_with_all(loss, broadcast):
    def model(params, x):
        return x @ params["w"][:, :1]

    y = RANDOM.normal(size=32).astype("float32")
    found = fanin.diagnose(model, X, y, loss=loss, params=PARAMS)
    assert ("INP106" in [one.code for one in found.findings]) == broadcast


@pytest.mark.parametrize(
    ("loss", "labels", "found"),
    [
        (lambda o, y: picked(jax.nn.log_softmax(o), y), Y - 1, True),
        (lambda o, y: picked(jax.nn.log_softmax(o), y), Y + 1, True),
        ("cross_entropy", Y + 1, True),
        ("cross_entropy", Y, False),
        (
            lambda o, y: -(jax.nn.one_hot(y, 4) * jax.nn.log_softmax(o)).sum(1).mean(),
            Y - 1,
            False,
        ),  # left out
    ],
)
def test_labels_that_are_no_classes(loss, labels, found):
    def model(params, x):
        return x @ params["w"]

    codes = [one.code for one in fanin.diagnose(model, X, labels, loss=loss, params=PARAMS).findings]
    assert ("INP107" in codes) == found
    assert "NUM101" not in codes


def test_a_loss_that_is_not_known_is_compared_with_that_of_zeros():
    def model(params, x):
        return x @ params["w"]

    def absolute(outputs, targets):
        return jnp.abs(outputs - targets).mean()

    y = np.random.default_rng(1).normal(size=(len(X), PARAMS["w"].shape[1])).astype(np.float32)
    for scale, codes in ((1.0, []), (50.0, ["OUT101"])):
        params = {"w": scale * PARAMS["w"]}
        found = fanin.diagnose(model, X, y, loss=absolute, params=params)
        assert found.vitals.output.zero == pytest.approx(np.abs(y).mean(), rel=1e-5)
        assert [one.code for one in found.findings if one.severity != "info"] == codes
