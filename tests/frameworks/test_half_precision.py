"""Models that compute in half precision: what is out of range there is told, and nothing else."""

import keras
import numpy as np
import pytest
import torch
from flax import nnx
from jax import numpy as jnp
from torch import nn

import fanin

X, Y = np.random.default_rng(0).normal(size=(32, 20)).astype("float32"), np.arange(32) % 4


def mlp(sd):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    for layer in model[::2]:
        nn.init.normal_(layer.weight, std=sd * layer.in_features**-0.5)
    return model


class Mixed(nn.Module):
    """Weights of 32 bits that compute in fewer."""

    def __init__(self, dtype, sd):
        super().__init__()
        self.network, self.dtype = mlp(sd), dtype

    def forward(self, x):
        with torch.autocast("cpu", self.dtype):
            return self.network(x)


def of_torch(dtype, sd, *, mixed):
    model = Mixed(dtype, sd) if mixed else mlp(sd).to(dtype)
    x = torch.from_numpy(X) if mixed else torch.from_numpy(X).to(dtype)
    return fanin.diagnose(model, x, torch.from_numpy(Y), loss="cross_entropy", select=["NUM"])


def of_keras(policy, sd):
    keras.config.set_dtype_policy(policy)
    try:
        drawn = keras.initializers.VarianceScaling(sd**2, "fan_in", "untruncated_normal", seed=0)
        layers = [keras.layers.Dense(n, activation="relu", kernel_initializer=drawn) for n in (64, 32)]
        model = keras.Sequential([keras.Input((20,)), *layers, keras.layers.Dense(4)])
    finally:
        keras.config.set_dtype_policy("float32")
    return fanin.diagnose(model, X, Y, loss="cross_entropy", select=["NUM"])


def of_nnx(dtype, sd):
    drawn = nnx.initializers.variance_scaling(sd**2, "fan_in", "normal")
    rngs = nnx.Rngs(0)
    layers = [nnx.Linear(i, o, rngs=rngs, dtype=dtype, kernel_init=drawn) for i, o in ((20, 64), (64, 4))]
    return fanin.diagnose(
        nnx.Sequential(layers[0], nnx.relu, layers[1]), X, Y, loss="cross_entropy", select=["NUM"]
    )


@pytest.mark.parametrize(
    ("sd", "codes"), [(1.4, []), (16.0, ["NUM103"]), (3000.0, ["NUM101"])], ids=["usual", "near", "beyond"]
)
@pytest.mark.parametrize("mixed", [False, True], ids=["pure", "mixed"])
def test_half_precision_of_pytorch(sd, codes, mixed):
    found = of_torch(torch.float16, sd, mixed=mixed).findings
    assert [one.code for one in found] == codes
    if codes == ["NUM101"]:
        assert "float16 ends at 65504" in found[0].message
    assert not of_torch(torch.bfloat16, sd, mixed=mixed).findings


@pytest.mark.parametrize(("sd", "codes"), [(1.4, []), (100.0, ["NUM103"]), (3000.0, ["NUM101"])])
@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_half_precision_of_keras(sd, codes, policy):
    assert [one.code for one in of_keras(policy, sd).findings] == codes
    assert not of_keras(policy.replace("float16", "bfloat16"), sd).findings


@pytest.mark.parametrize(("sd", "codes"), [(1.4, []), (100.0, ["NUM103"]), (3000.0, ["NUM101"])])
def test_half_precision_of_flax(sd, codes):
    assert [one.code for one in of_nnx(jnp.float16, sd).findings] == codes
    assert not of_nnx(jnp.bfloat16, sd).findings
