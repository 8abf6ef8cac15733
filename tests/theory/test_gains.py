"""Every row of gains.csv (a quadrature of 15 digits): by name, and from bare functions of each framework."""

import csv
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from scipy import special

from fanin import gain
from fanin.frameworks.activations import as_activation
from fanin.theory.moments import moments
from fanin.theory.panels import resolve

F = torch.nn.functional
SELU = 1.0507009873554805, 1.6732632423543772

ROWS = {
    row.pop("name"): {key: float(value) for key, value in row.items()}
    for row in csv.DictReader(Path(__file__).with_name("gains.csv").open())
}

NUMPY = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu_0.01": lambda x: np.maximum(x, 0.01 * x),
    "leaky_relu_0.2": lambda x: np.maximum(x, 0.2 * x),
    "elu_1": lambda x: np.where(x > 0, x, np.expm1(x)),
    "celu_1": lambda x: np.maximum(x, 0) + np.minimum(np.expm1(x), 0),
    "celu_0.5": lambda x: np.where(x > 0, x, 0.5 * np.expm1(x / 0.5)),
    "selu": lambda x: SELU[0] * np.where(x > 0, x, SELU[1] * np.expm1(x)),
    "gelu_erf": lambda x: x * (1 + special.erf(x / math.sqrt(2))) / 2,
    "gelu_tanh": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "gelu_quick_1.702": lambda x: x / (1 + np.exp(-1.702 * x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "tanh": lambda x: np.tanh(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
    "sin": lambda x: np.sin(x),
    "erf": lambda x: special.erf(x),
    "squared_relu": lambda x: np.maximum(x, 0) ** 2,
    "logsigmoid": lambda x: -np.log1p(np.exp(-x)),
    "tanhshrink": lambda x: x - np.tanh(x),
    "exp": lambda x: np.exp(x),
    "abs": lambda x: abs(x),
    "square": lambda x: x * x,
    "arctan": lambda x: np.arctan(x),
}

TORCH = {
    "identity": torch.nn.Identity(),
    "relu": torch.relu,
    "leaky_relu_0.01": F.leaky_relu,
    "leaky_relu_0.2": torch.nn.LeakyReLU(0.2),
    "elu_1": F.elu,
    "celu_1": F.celu,
    "celu_0.5": torch.nn.CELU(0.5),
    "selu": F.selu,
    "gelu_erf": F.gelu,
    "gelu_tanh": torch.nn.GELU("tanh"),
    "gelu_quick_1.702": lambda x: x * torch.sigmoid(1.702 * x),
    "silu": torch.nn.SiLU(),
    "mish": F.mish,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),  # F.softplus is the identity above 20
    "softsign": F.softsign,
    "tanh": torch.tanh,
    "sigmoid": torch.nn.Sigmoid(),
    "hardswish": F.hardswish,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "relu6": torch.nn.ReLU6(inplace=True),
    "sin": lambda x: x.sin(),
    "erf": torch.erf,
    "squared_relu": lambda x: torch.relu(x) ** 2,
    "logsigmoid": F.logsigmoid,
    "tanhshrink": F.tanhshrink,
    "exp": torch.exp,
    "abs": torch.abs,
    "square": torch.square,
    "arctan": torch.arctan,
}

JAX = {
    "identity": jax.nn.identity,
    "relu": jax.nn.relu,
    "leaky_relu_0.01": jax.nn.leaky_relu,
    "leaky_relu_0.2": lambda x: jax.nn.leaky_relu(x, 0.2),
    "elu_1": jax.nn.elu,
    "celu_1": jax.nn.celu,
    "celu_0.5": lambda x: jax.nn.celu(x, 0.5),
    "selu": jax.nn.selu,
    "gelu_erf": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_tanh": jax.nn.gelu,
    "gelu_quick_1.702": lambda x: x * jax.nn.sigmoid(1.702 * x),
    "silu": jax.jit(jax.nn.silu),
    "mish": jax.nn.mish,
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "hardswish": jax.nn.hard_swish,
    "hardtanh": jax.nn.hard_tanh,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "relu6": jax.nn.relu6,
    "sin": jnp.sin,
    "erf": jax.scipy.special.erf,
    "squared_relu": lambda x: jnp.square(jax.nn.relu(x)),
    "logsigmoid": jax.nn.log_sigmoid,
    "tanhshrink": lambda x: x - jnp.tanh(x),
    "exp": jnp.exp,
    "abs": jnp.abs,
    "square": jnp.square,
    "arctan": jnp.arctan,
}


def exactly(value):
    return pytest.approx(value, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("name", ROWS)
def test_by_name(name):
    found, row = gain(name), ROWS[name]
    assert found.source == "closed form"
    assert found.mean == exactly(row["mean"])
    assert found.second_moment == exactly(row["m2"])
    assert found.variance == exactly(row["var"])
    assert found.derivative_mean == exactly(row["dphi_mean"])
    assert found.derivative_second_moment == exactly(row["d2"])
    assert float(found) == found.gain == exactly(row["gain"])
    assert found.variance_gain == exactly(row["gain_var"])
    assert found.chi_1 == exactly(row["chi1_at_gain"])
    assert found.slope == exactly(row["chi_par_at_gain"])


@pytest.mark.parametrize(
    ("framework", "function", "name"),
    [
        pytest.param(framework, function, name, id=f"{framework}-{name}")
        for framework, functions in {"numerical": NUMPY, "torch": TORCH, "jax": JAX}.items()
        for name, function in functions.items()
    ],
)
def test_from_a_bare_function(framework, function, name):
    activation, row = as_activation(function), ROWS[name]
    assert activation.source == framework
    found = moments(activation, resolve(activation))
    assert found.mean == exactly(row["mean"])
    assert found.second == exactly(row["m2"])
    assert found.variance == exactly(row["var"])
    assert found.derivative_mean == exactly(row["dphi_mean"])
    assert found.derivative_second == exactly(row["d2"])
    assert found.length_slope / found.second == exactly(row["chi_par_at_gain"])
    assert found.notes == ()


def test_the_whole_file_is_covered():
    assert ROWS.keys() == NUMPY.keys() == TORCH.keys() == JAX.keys()
