"""Faulty programs of JAX are found, and healthy models are not disturbed."""

import pytest

import fanin
from fanin.rules.finding import at_least
from frameworks.jax.checking.faulty import FAULTY, HEALTHY


def found(make):
    model, x, y, options = make()
    return [
        one for one in fanin.diagnose(model, x, y, **options).findings if at_least(one.severity, "warning")
    ]


@pytest.mark.parametrize("name", FAULTY)
def test_faults(name):
    make, families, where = FAULTY[name]
    everything = found(make)
    first = next((one for one in everything if one.family in families), None)
    assert first is not None, [(one.code, one.where) for one in everything]
    assert not where or first.where == where
    assert len(everything) <= 2, [(one.code, one.where) for one in everything]


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_models(name):
    assert not [(one.code, one.where, one.message) for one in found(HEALTHY[name])]
