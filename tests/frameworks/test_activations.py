"""A callable of any framework becomes the same function of float64; what is none is refused with a reason."""

import math

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch

from fanin import FaninError, gain
from fanin.frameworks.activations import as_activation

F = torch.nn.functional
X = np.array([-2.5, -0.3, 0.0001, 1.0, 40.0])


class Learned(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(0.25))

    def forward(self, x):
        return torch.where(x > 0, x, self.slope * x)


class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.tanh(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Callable:
    def __call__(self, x):
        return jnp.where(x > 0, x, 0.25 * x)


LEAKY = [
    ("torch", F.leaky_relu, 0.01),
    ("torch", torch.nn.LeakyReLU(0.25, inplace=True), 0.25),
    ("torch", torch.nn.PReLU(), 0.25),
    ("torch", Learned(), 0.25),
    ("torch", lambda x: torch.where(x > 0, x, 0.25 * x), 0.25),
    ("torch", lambda x: x.relu() - 0.25 * (-x).relu(), 0.25),
    ("jax", jax.nn.leaky_relu, 0.01),
    ("jax", lambda x: jnp.where(x > 0, x, 0.25 * x), 0.25),
    ("jax", lambda x: x.at[:].multiply(jnp.where(x > 0, 1, 0.25)), 0.25),
    ("jax", jax.jit(lambda x: jnp.maximum(x, 0.25 * x)), 0.25),
    ("jax", Callable(), 0.25),
    ("jax", lambda x: keras.activations.leaky_relu(x, negative_slope=0.25), 0.25),
    ("jax", keras.layers.LeakyReLU(negative_slope=0.25), 0.25),
    ("jax", keras.layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25)), 0.25),
    ("numerical", lambda x: np.maximum(x, 0.25 * x), 0.25),
    ("numerical", lambda x: np.maximum(x, 0.25 * x, out=x), 0.25),
    ("numerical", lambda x: x if x > 0 else 0.25 * x, 0.25),
    ("numerical", lambda x: [max(v, 0.25 * v) for v in x], 0.25),
]


@pytest.mark.parametrize(("framework", "function", "slope"), LEAKY)
def test_every_kind_of_leaky_relu(framework, function, slope):
    found = as_activation(function)
    assert found.source == framework
    np.testing.assert_allclose(found.value(X), np.where(X > 0, X, slope * X), rtol=1e-15)
    np.testing.assert_allclose(found.value(X[:4].reshape(2, 2)), found.value(X[:4]).reshape(2, 2))
    if found.derivative:
        np.testing.assert_allclose(found.derivative(X), np.where(X > 0, 1, slope), rtol=1e-15)


def test_a_built_layer_of_keras_keeps_its_weights():
    layer = keras.layers.PReLU()
    layer.build((None, 5))
    layer.set_weights([np.full(5, 0.5)])
    np.testing.assert_allclose(as_activation(layer).value(X), np.where(X > 0, X, 0.5 * X))
    layer.set_weights([np.arange(5.0)])
    with pytest.raises(FaninError, match="5 values of alpha"):
        as_activation(layer)


def test_float64_is_used_and_left_as_it_was():
    x = np.array([1 / 3])
    for function in (jnp.tanh, torch.tanh, keras.layers.Activation(jnp.tanh)):
        assert as_activation(function).value(x)[0] == pytest.approx(math.tanh(1 / 3), rel=1e-15)
    assert jnp.asarray(x).dtype == jnp.float32
    assert torch.get_default_dtype() == torch.float32


def test_keras_itself_casts_some_functions_to_float32():
    found = gain(keras.activations.tanh)
    assert found.gain == pytest.approx(gain("tanh").gain, rel=1e-6)
    assert "digits" in found.notes[0]


def test_a_module_is_left_as_it_was():
    module = Learned()
    as_activation(module).derivative(X)
    assert module.slope.dtype == torch.float32
    assert module.slope.grad is None


def test_gradients_that_a_framework_defines_otherwise_are_its_own():
    assert as_activation(Straight.apply).derivative(X) == pytest.approx(np.ones(5))


def test_it_works_where_no_gradients_are_taken():
    with torch.no_grad():
        assert as_activation(torch.tanh).derivative(np.zeros(1)) == 1
    assert as_activation(lambda x: torch.tanh(x).detach()).derivative(X) == pytest.approx(np.zeros(5))


class Dropping(torch.nn.Module):
    def forward(self, x):
        return F.dropout(torch.relu(x), 0.5, self.training)


def test_a_module_in_evaluation_is_not_random():
    np.testing.assert_array_equal(as_activation(Dropping().eval()).value(X), np.maximum(X, 0))


# fmt: off
BAD = [
    (3, "3 is of type int"),
    (torch.nn.GELU, "GELU is a class", "GELU()"),
    (keras.layers.ReLU, "ReLU is a class"),
    (torch.nn.GLU(), "halves the width"),
    (F.glu, "halves the width"),
    (jax.nn.glu, "halves the width"),
    (keras.activations.glu, "halves the width"),
    (lambda x: x[: len(x) // 2] * x[len(x) // 2 :], "halves the width"),
    (torch.nn.Softmax(dim=-1), "mixes its elements"),
    (jax.nn.softmax, "mixes its elements"),
    (keras.activations.softmax, "mixes its elements"),
    (lambda x: x / np.linalg.norm(x), "mixes its elements"),
    (np.cumsum, "mixes its elements"),
    (Dropping(), "different values for the same input", "model.eval()"),
    (torch.nn.RReLU(), "different values"),
    (lambda x: x + np.random.default_rng().normal(size=x.shape), "different values"),
    (torch.nn.Linear(3, 3), "Linear fails: RuntimeError"),
    (torch.nn.PReLU(8), "PReLU fails"),
    (keras.layers.Dense(1), "mix units"),
    (lambda x: x.sum(), "shape ()"),
    (lambda x: np.stack([x, x]), "shape (2, 64)"),
    (lambda x: None, "returns NoneType"),
    (lambda x: "a", "returns str"),
    (lambda x: np.sqrt(x + 0j), "complex128"),
    (lambda x: x.astype(np.float16), "float16", "float32 or float64"),
    (lambda x: x.astype(jnp.bfloat16), "bfloat16"),
    (lambda x, alpha: alpha * x, "missing 1 required positional argument"),
    (lambda x: x.no_such_method(), "AttributeError"),
]
# fmt: on


@pytest.mark.parametrize(("function", "said"), [(function, said) for function, *said in BAD])
def test_what_is_no_activation(function, said):
    with pytest.raises(FaninError) as raised:
        as_activation(function)
    assert [part for part in said if part not in str(raised.value)] == [], raised.value
