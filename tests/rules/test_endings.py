"""Whether the last activation fits the loss and the targets."""

import math
from dataclasses import replace

import pytest

from fanin.rules.catalogue import RULES
from fanin.rules.vitals import Output, Spread, Target
from rules.test_rules import vitals

LN_10 = math.log(10)


def severities(values, ends, kind, *, logits, units=10, target=None, framework="torch"):
    output = Output(values, (32, units), 0.7, kind, ends, "1", 1.0, logits=logits)
    target = target or Target(classes=10 if kind == "cross_entropy" else 2, entropy=0.69)
    made = replace(vitals(output=output, target=target), framework=framework)
    return [one.severity for one in RULES["OUT102"].look(made)]


@pytest.mark.parametrize(
    ("ends", "kind", "logits", "units", "found"),
    [
        ("softmax", "binary_cross_entropy", False, 1, ["error"]),
        ("relu", "cross_entropy", True, 10, ["warning"]),
        ("softmax", "cross_entropy", True, 10, ["warning"]),
        ("log_softmax", "cross_entropy", True, 10, []),
        ("sigmoid", "binary_cross_entropy", False, 1, []),
        ("sigmoid", "binary_cross_entropy", True, 1, ["warning"]),
    ],
)
def test_last_activations(ends, kind, logits, units, found):
    assert severities(Spread(0.1, 0.1, 0.4), ends, kind, logits=logits, units=units) == found


def test_a_cross_entropy_over_one_class():
    values, one = Spread(0.0, 0.5, 2.0), Target(classes=1)
    assert severities(values, "", "cross_entropy", logits=True, units=1, target=one) == ["error"]


@pytest.mark.parametrize(
    ("values", "ends", "found"),
    [
        (Spread(-LN_10 - 0.1, 0.5, 4.0), "log_softmax", []),
        (Spread(-LN_10 - 0.1, 0.5, 4.0), "", []),
        (Spread(0.1, 0.1, 0.5), "softmax", ["error"]),
        (Spread(0.0, 0.5, 2.0), "", ["error"]),
    ],
)
def test_losses_of_logarithms(values, ends, found):
    assert severities(values, ends, "cross_entropy", logits=False) == found


@pytest.mark.parametrize(
    ("values", "ends", "kind", "found"),
    [
        (Spread(0.1, 0.1, 0.5), "softmax", "cross_entropy", []),
        (Spread(0.5, 0.1, 0.7), "sigmoid", "cross_entropy", ["warning"]),
        (Spread(0.1, 0.5, 0.9), "", "cross_entropy", ["error"]),
        (Spread(0.5, 0.5, 1.0), "", "binary_cross_entropy", []),
        (Spread(0.5, 0.1, 1.2), "", "binary_cross_entropy", ["error"]),
        (Spread(-0.1, 0.01, 0.2), "", "binary_cross_entropy", ["error"]),
    ],
)
def test_losses_of_probabilities(values, ends, kind, found):
    assert severities(values, ends, kind, logits=False, framework="keras") == found


@pytest.mark.parametrize(("mean", "found"), [(0.4, ["error"]), (0.5, [])])
def test_outputs_that_nothing_bounds(mean, found):
    """Those of a last layer may all lie from 0 to 1, by chance."""
    values = Spread(0.4, 0.1, 0.6)
    output = Output(values, (32, 1), 0.7, "binary_cross_entropy", "", "1", 1.0, logits=False)
    last = replace(vitals().layers[-1], output=replace(values, mean=mean))
    made = vitals([vitals().layers[0], last], output=output, target=Target(classes=2, entropy=0.69, high=1.0))
    told = RULES["OUT102"].look(replace(made, framework="keras"))
    assert [one.severity for one in told] == found


@pytest.mark.parametrize(
    ("ends", "low", "high", "found"),
    [
        ("tanh", -1.0, 1.0, []),
        ("tanh", -1.6, 1.6, ["warning"]),
        ("sigmoid", 0.0, 255.0, ["warning"]),
        ("relu", 0.0, 50.0, []),
        ("relu", -1.6, 1.6, ["warning"]),
        ("", 20.0, 50.0, []),
    ],
)
def test_targets_that_the_last_activation_cannot_reach(ends, low, high, found):
    target = Target(variance=1.0, low=low, high=high)
    assert severities(Spread(0.5, 0.1, 0.8), ends, "mse", logits=True, target=target) == found
