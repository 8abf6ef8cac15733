"""Whether the fixed point is stable, and how the second moment drifts: against facts and real networks."""

import math

import numpy as np
import pytest

from fanin import FaninError, gain
from fanin.theory.names import named

SLOPES = {
    "relu": 1,
    "leaky_relu(0.2)": 1,
    "tanh": 0.461,
    "sigmoid": 0.106,
    "gelu": 1.144,
    "silu": 1.173,
    "elu": 0.891,
    "selu": 0.783,
    "mish": 1.076,
    "softplus": 0.492,
    "hard_swish": 1.224,
    "squared_relu": 2,
    "sin": 0.313,
}
"""The slope of the length map at q = 1 under the gain."""


@pytest.mark.parametrize("name", SLOPES)
def test_slope_and_stability(name):
    found = gain(name)
    assert found.slope == pytest.approx(SLOPES[name], abs=6e-4)
    expected = "marginal" if SLOPES[name] == 1 else "stable" if SLOPES[name] < 1 else "unstable"
    assert found.stability == expected
    assert expected.capitalize() in str(found)


def test_a_falling_length_map_goes_back_and_forth():
    back = gain(lambda x: np.exp(-((x / 0.2) ** 2)), depth=3, width=None)
    assert -1 < back.slope < 0
    assert back.stability == "stable"
    assert back.drift.high[1] < 1 < back.drift.high[2]


def test_without_a_width_a_small_perturbation_follows_the_slope():
    path = gain("gelu", depth=10, width=None).drift
    assert path.middle == pytest.approx([1] * 11, abs=1e-7)
    assert path.high[:2] == pytest.approx([1.01, 1 + 0.01 * 1.144], abs=2e-5)
    assert path.low[10] < 0.99**3
    assert path.high[10] > 1.01**3


def test_the_length_map_of_relu_is_the_identity():
    path = gain("relu", depth=100, width=None).drift
    assert (path.low[-1], path.high[-1]) == pytest.approx((0.99, 1.01), abs=1e-7)


def test_relu_spreads_as_its_exact_moments_say():
    # E[q^2] = (1 + 5/n)^depth; log q is nearly normal after many layers.
    path = gain("relu", depth=40, width=256).drift
    sd = math.log(path.high[-1] / path.low[-1]) / (2 * 1.2816)
    assert sd == pytest.approx(math.sqrt(40 * math.log1p(5 / 256)), rel=0.05)


def network(name, depth, width, networks):
    """Return the second moments of networks with real weight matrices after some layers."""
    rng, f, g = np.random.default_rng(0), named(name).value, gain(name).gain
    inputs = rng.standard_normal((networks, width))
    h = inputs / np.sqrt(np.mean(inputs**2, axis=1, keepdims=True))
    for _ in range(depth):
        weights = rng.standard_normal((networks, width, width), dtype=np.float32) * (g / math.sqrt(width))
        h = np.einsum("nij,nj->ni", weights, f(h).astype(np.float32)).astype(np.float64)
    return np.mean(h**2, axis=1)


@pytest.mark.parametrize(("name", "depth"), [("silu", 12), ("tanh", 8), ("relu", 12)])
def test_real_networks_drift_as_predicted(name, depth):
    width, networks = 64, 400
    # The last layer's own sum over its units is one more step of chance.
    path = gain(name, depth=depth, width=width).drift
    logs = np.log(network(name, depth, width, networks))
    own = 2 / width  # variance of the log of a mean of squares
    predicted = np.log([path.low[-1], path.middle[-1], path.high[-1]])
    spread = math.hypot((predicted[2] - predicted[0]) / 2.563, math.sqrt(own))
    assert np.median(logs) == pytest.approx(predicted[1], abs=5 * spread / math.sqrt(networks))
    measured = (np.quantile(logs, 0.9) - np.quantile(logs, 0.1)) / 2.563
    assert measured == pytest.approx(spread, rel=0.2)


def test_the_gains_of_gelu_and_silu_are_lost_in_fifty_layers_and_tanhs_is_not():
    for name in ("gelu", "silu"):
        path = gain(name, depth=50, width=1024).drift
        assert path.high[-1] > 100
        assert path.low[-1] < 1e-3
    tanh = gain("tanh", depth=50, width=1024).drift
    assert 0.9 < tanh.low[-1] < tanh.middle[-1] < tanh.high[-1] < 1.1


def test_what_blows_up_is_infinite_and_none_in_json():
    found = gain("squared_relu", depth=80)
    assert found.drift.high[-1] == math.inf
    assert found.to_dict()["drift"]["high"][-1] is None
    assert "infinite" in str(found)


def test_the_same_call_gives_the_same_numbers():
    assert gain("mish", depth=7, width=33) == gain("mish", depth=7, width=33)


@pytest.mark.parametrize(
    "options", [{"depth": 0}, {"depth": 2.5}, {"depth": True}, {"width": -1}, {"width": 1.5}]
)
def test_counts(options):
    with pytest.raises(FaninError, match="positive whole number"):
        gain("relu", **options)
    with pytest.raises(FaninError, match="at most"):
        gain("relu", depth=10**6)
