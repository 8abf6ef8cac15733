"""Public faulty programs of Keras are found, and healthy models are not disturbed."""

import keras
import pytest

import fanin
from fanin.rules.finding import at_least
from frameworks.keras.checking.faulty import FAULTY, HEALTHY


def found(make):
    keras.utils.set_random_seed(0)
    model, x, y, loss = make()
    return [
        one for one in fanin.diagnose(model, x, y, loss=loss).findings if at_least(one.severity, "warning")
    ]


@pytest.mark.parametrize("name", FAULTY)
def test_faults(name):
    make, families, where = FAULTY[name]
    everything = found(make)
    first = next((one for one in everything if one.family in families), None)
    assert first is not None, [(one.code, one.where) for one in everything]
    assert first.where.endswith(where)
    assert len(everything) <= 2, [(one.code, one.where) for one in everything]


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_models(name):
    assert not [(one.code, one.where, one.message) for one in found(HEALTHY[name])]
