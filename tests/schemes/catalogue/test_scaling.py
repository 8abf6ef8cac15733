"""Variance scaling in all modes, distributions and gains: measured second moments against the formula."""

import math

import numpy as np
import pytest
import torch
from jax.nn import initializers
from scipy import stats
from torch import nn

import fanin
from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.schemes import glorot_uniform, he_normal, variance_scaling
from fanin.schemes.distributions import Normal, TruncatedNormal, Uniform
from fanin.schemes.draw import draw

KERNEL = Parameter("dense/kernel", (200, 300), "kernel", ("in", "out"))
GAINS = [("relu", 2.0), ("linear", 1.0), ("leaky_relu(0.2)", 2 / 1.04)]
FANS = {"fan_in": 200, "fan_out": 300, "fan_avg": 250, "fan_geo_avg": math.sqrt(200 * 300)}


@pytest.mark.parametrize("mode", FANS)
@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
def test_every_mode_and_distribution_is_jaxs(mode, distribution):
    import jax

    chosen = variance_scaling(1.7, mode, distribution).decide(KERNEL).distribution
    values = draw(chosen, KERNEL, 1)
    assert (values.astype(float) ** 2).mean() == pytest.approx(1.7 / FANS[mode], rel=0.02)
    theirs = initializers.variance_scaling(1.7, mode, distribution)(jax.random.key(0), (200, 300))
    assert stats.ks_2samp(values.ravel(), np.asarray(theirs).ravel()).pvalue > 1e-3


@pytest.mark.parametrize(
    ("activation", "gain"), [("relu", 2.0), ("linear", 1.0), ("leaky_relu(0.2)", 2 / 1.04)]
)
def test_the_gain_is_that_of_the_activation(activation, gain):
    for make in (he_normal, glorot_uniform):
        plain, with_gain = (
            make(activation=name).decide(KERNEL).distribution for name in ("linear", activation)
        )
        values = [(draw(each, KERNEL, 1).astype(float) ** 2).mean() for each in (plain, with_gain)]
        assert values[1] / values[0] == pytest.approx(gain, rel=1e-5)


def test_auto_takes_what_feeds_each_layer():
    model = nn.Sequential(
        nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64), nn.LayerNorm(64),
        nn.Linear(64, 8),
    )  # fmt: skip
    plan = fanin.plan(model, "he_normal(activation='auto')")
    wanted = {"0": 1.0, "2": fanin.gain("tanh").gain ** 2, "4": fanin.gain("gelu").gain ** 2, "6": 1.0}
    for layer, gain in wanted.items():
        assert plan[f"{layer}.weight"].sd ** 2 == pytest.approx(gain / 64)


def test_scale_multiplies_the_variance():
    assert he_normal(scale=0.25).decide(KERNEL).distribution.sd == pytest.approx(
        0.5 * he_normal().decide(KERNEL).distribution.sd
    )


def test_kinds_are_what_they_are_called():
    kinds = {"truncated_normal": TruncatedNormal, "normal": Normal, "uniform": Uniform}
    for name, kind in kinds.items():
        assert isinstance(variance_scaling(distribution=name).decide(KERNEL).distribution, kind)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("variance_scaling(mode='fan_inn')", "one of fan_in, fan_out, fan_avg, fan_geo_avg"),
        ("variance_scaling(1.0, 'fan_in', 'cauchy')", "one of truncated_normal, normal, uniform"),
        ("he_normal(activation='rellu')", "There is no activation 'rellu'"),
        ("he_normal(activation=3)", "expected: a text"),
        ("variance_scaling(scale=-1)", "not negative"),
    ],
)
def test_bad_arguments_say_what_there_is(text, words):
    with pytest.raises(FaninError) as error:
        fanin.plan(nn.Linear(3, 4), text)
    assert words in str(error.value)


def test_transposed_and_grouped_convolutions_keep_the_second_moment():
    torch.manual_seed(0)
    for layer in (
        nn.ConvTranspose2d(64, 48, 4, stride=2, padding=1),
        nn.Conv2d(64, 96, 3, groups=4, padding=1),
    ):
        fanin.initialize(layer, "variance_scaling", seed=3)
        with torch.no_grad():
            y = layer(torch.randn(4, 64, 24, 24))[:, :, 4:-4, 4:-4]
        assert float((y**2).mean()) == pytest.approx(1.0, rel=0.1)
