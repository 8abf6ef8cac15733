"""A batch that does not fit into memory is cut: models here ask for more than any machine has."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

import fanin
from fanin import FaninError
from fanin.frameworks.memory import is_full

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(32, 6)).astype("float32"), np.arange(32) % 4
PARAMS = {"w": RANDOM.normal(size=(6, 4)).astype("float32")}
LARGE = 1 << 45


def full(value):
    """Return 0, or fail for want of memory."""
    return 0 * jnp.sort(jnp.broadcast_to(value.sum(), (LARGE,)))[0]


def hungry(params, x, scale=1.0, *, most=8):
    out = (scale * x.astype("float32") if x.ndim > 1 else jax.nn.one_hot(x, 6)) @ params["w"]
    return out + full(out) if len(x) > most else out


def vitals(model, x=X, y=Y, **options):
    return fanin.diagnose(model, x, y, **{"loss": "cross_entropy", "params": PARAMS, **options}).vitals


def test_half_and_half_again():
    found = vitals(hungry)
    assert (found.examples, found.notes) == (8, ("out of memory: the batch was cut to 8",))
    fitting = vitals(hungry, X[:8], Y[:8])
    assert (found.output, found.target) == (fitting.output, fitting.target)
    assert not fitting.notes


def test_what_is_not_of_the_batch_stays():
    scale = np.full((6,), 2.0, "float32")
    assert vitals(hungry, (X, scale)).inputs[1].shape == (6,)
    named = vitals(hungry, {"x": X, "scale": scale})
    assert {one.name: one.shape for one in named.inputs} == {"x": (8, 6), "scale": (6,)}


def test_described_inputs():
    found = vitals(hungry, None, None, inputs="32x6")
    assert (found.examples, found.inputs[0].shape) == (8, (8, 6))
    data = vitals(hungry, None, None, inputs=np.arange(32) % 6)
    assert data.inputs[0].shape == (8,)


def test_modules():
    class Model(nnx.Linear):
        def __call__(self, x):
            out = super().__call__(x)
            return out + full(out) if len(x) > 20 else out

    found = vitals(Model(6, 4, rngs=nnx.Rngs(0)), params=None)
    assert found.examples == 16


def test_one_example_is_too_much():
    def starving(params, x):
        return hungry(params, x, most=0)

    with pytest.raises(FaninError, match="starving with one example does not fit into memory") as error:
        vitals(starving)
    assert "more memory" in error.value.fix


def test_fixes_are_tried_on_what_fits():
    constant = {"w": np.full((6, 4), 9.0, "float32") * RANDOM.normal(size=(6, 4))}
    report = fanin.diagnose(hungry, X, Y, loss="cross_entropy", params=constant).fix_report()
    assert report.works
    assert report.after.vitals.examples == 8


def test_other_errors_are_told_as_they_are():
    def wrong(params, x):
        raise ValueError("no such thing")

    with pytest.raises(FaninError, match="no such thing"):
        vitals(wrong)


@pytest.mark.parametrize(
    "ask",
    [lambda: np.zeros(LARGE), lambda: torch.zeros(LARGE), lambda: jnp.zeros(LARGE), lambda: [0] * LARGE],
)
def test_errors_of_memory(ask):
    with pytest.raises((MemoryError, RuntimeError)) as error:
        ask()
    assert is_full(error.value)
    wrapped = FaninError("The model fails.")
    wrapped.__cause__ = error.value
    assert is_full(wrapped)
    assert not is_full(RuntimeError("shapes do not fit"))
