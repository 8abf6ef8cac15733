"""Whole models: what is predicted from their first weights' laws against what many random networks do."""

import math
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from theory.propagation.models import Convolutions, ResNet, Transformer, measured, mlp, predicted

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "selu": nn.SELU}
INSIDE = 0.9
"""The least share of single networks within the predicted bar of two standard deviations."""


def _known(profile, found):
    """Keep what both know: a table that no input looks up is a weight, and a module may do nothing."""
    places = [
        n for n, name in enumerate(found.names) if name in profile and profile[name].backward is not None
    ]
    assert len(places) >= len(found.names) - 3
    return replace(
        found,
        names=[found.names[place] for place in places],
        forward=found.forward[:, places],
        backward=found.backward[:, places],
    )


def _series(profile, names, direction):
    return [getattr(profile[name], direction).q for name in names]


def _ratios(predicted, measured):
    """Return what is measured over what is predicted, of the ratios of neighbouring layers."""
    expected = np.array([one.value for one in predicted])
    steps = np.log(measured[:, 1:] / measured[:, :-1]).mean(axis=0)
    return np.exp(steps - np.log(expected[1:] / expected[:-1]))


def _inside(predicted, measured):
    bars = np.array([one.bar(2) for one in predicted])
    return np.mean(np.abs(measured - np.array([one.value for one in predicted])) <= bars)


def _initialized(name, width):
    gain = fanin.gain(name).gain
    return lambda: mlp(ACTIVATIONS[name], gain, width)


def _vectors(width):
    return lambda: torch.randn(64, width)


def _images():
    return torch.randn(4, 3, 16, 16)


def _ids():
    return torch.randint(0, 500, (4, 32))


CASES = {
    **{f"{name} 512": (_initialized(name, 512), _vectors(512), False, 120) for name in ACTIVATIONS},
    **{f"{name} 128": (_initialized(name, 128), _vectors(128), False, 100) for name in ACTIVATIONS},
    "cnn": (Convolutions, _images, False, 80),
    "resnet": (ResNet, _images, False, 80),
    "training resnet": (ResNet, _images, True, 80),
    **{
        f"{norm}, {'causal' if causal else 'bidirectional'}": (
            partial(Transformer, causal, norm == "post-norm"),
            _ids,
            False,
            30,
        )
        for norm in ("pre-norm", "post-norm")
        for causal in (False, True)
    },
}
"""How each model is made, what it reads, whether it trains, and how many networks are run."""


@cache
def _case(name):
    """Return what is predicted of a model, and what its networks do."""
    make, inputs, train, seeds = CASES[name]
    torch.manual_seed(0)
    _, profile = predicted(make(), inputs(), train=train)
    return profile, _known(profile, measured(make, inputs, train=train, seeds=seeds))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_mlp(name):
    profile, found = _case(f"{name} 512")
    forward, backward = (_series(profile, found.names, way) for way in ("forward", "backward"))
    # What a SiLU does to chance of chance shows in the last layers.
    assert np.max(np.abs(_ratios(forward, found.forward) - 1)) < (0.04 if name == "silu" else 0.02)
    assert np.max(np.abs(_ratios(backward, found.backward) - 1)) < 0.05
    for parameter in profile.parameters:
        truth = found.parameters[parameter.name].mean()
        assert parameter.gradient.value == pytest.approx(truth, rel=0.15), parameter.name


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_narrow_mlp_within_its_bar(name):
    profile, found = _case(f"{name} 128")
    forward, backward = (_series(profile, found.names, way) for way in ("forward", "backward"))
    for expected, each in ((forward, found.forward), (backward, found.backward)):
        mean, error = each.mean(axis=0), each.std(axis=0, ddof=1) / math.sqrt(len(each))
        bars = np.array([math.hypot(one.error, wrong) for one, wrong in zip(expected, error, strict=True)])
        values = np.array([one.value for one in expected])
        assert np.all(np.abs(mean - values) < 4 * bars + 0.02 * values)


@pytest.mark.parametrize(("name", "gradient"), [("cnn", 0.1), ("resnet", 0.1), ("training resnet", 0.2)])
def test_images(name, gradient):
    profile, found = _case(name)
    forward, backward = (_series(profile, found.names, way) for way in ("forward", "backward"))
    assert np.max(np.abs(_ratios(forward, found.forward) - 1)) < 0.07
    assert np.max(np.abs(_ratios(backward, found.backward) - 1)) < gradient


@pytest.mark.parametrize("name", [name for name in CASES if "norm" in name])
def test_transformers(name):
    profile, found = _case(name)
    stream = [f"h.{number}" for number in range(3)]
    places = [found.names.index(name) for name in stream]
    forward, backward = (_series(profile, stream, way) for way in ("forward", "backward"))
    assert np.max(np.abs(_ratios(forward, found.forward[:, places]) - 1)) < 0.04
    assert np.max(np.abs(_ratios(backward, found.backward[:, places]) - 1)) < 0.07
    gradients = {parameter.name: parameter.gradient for parameter in profile.parameters}
    for name, estimate in gradients.items():
        truth = found.parameters[name].mean()
        if name.endswith(("q.weight", "k.weight")):
            assert estimate.value == pytest.approx(truth, rel=0.12), name
        elif name.endswith("weight") and name.startswith("h"):
            assert estimate.value == pytest.approx(truth, rel=0.1), name


def test_calibration():
    """Of all models, whichever of them ran before in this process."""
    shares = []
    for name in CASES:
        profile, found = _case(name)
        for way, values in (("forward", found.forward), ("backward", found.backward)):
            shares.append(_inside(_series(profile, found.names, way), values))
    assert np.mean(shares) >= INSIDE, shares
