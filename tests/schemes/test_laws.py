"""Laws of a plan's parameters against values that the plan draws."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fanin.graph.parameter import Parameter
from fanin.schemes import distributions as d
from fanin.schemes.draw import draw
from fanin.schemes.laws import law_of, laws_of
from fanin.schemes.plan import InitPlan, Row

KERNEL = Parameter("kernel", (400, 300), "kernel", ("out", "in"))
TAPS = Parameter("taps", (64, 48, 3, 3), "kernel", ("out", "in", "tap", "tap"))
BIAS = Parameter("bias", (4000,), "bias", gates=4, gate_names=("input", "forget", "cell", "output"))
GATES = Parameter("gates", (800, 100), "kernel", ("out", "in"), gates=4)

CASES = [
    (d.Constant(2.0), KERNEL),
    (d.Normal(0.5, 0.2), KERNEL),
    (d.TruncatedNormal(0.1, 0.3, -1.0, 2.0), KERNEL),
    (d.Uniform(-0.1, 0.4), KERNEL),
    (d.SoftplusInverse(0.001, 0.1), KERNEL),
    (d.Values((1.0, 2.0, 6.0)), Parameter("values", (50, 3))),
    (d.Orthogonal(1.5), KERNEL),
    (d.Orthogonal(), TAPS),
    (d.DeltaOrthogonal(2.0), TAPS),
    (d.Identity(2.0), KERNEL),
    (d.Identity(), TAPS),
    (d.Sparse(15, 0.4), KERNEL),
    (d.Chrono(50.0), replace(BIAS, shape=(2, 4000))),
    (d.Chrono(50.0), BIAS),
    (d.PerGate((d.Constant(1.0), d.Normal(0.0, 0.1), d.Orthogonal(), d.Uniform(0.0, 1.0))), GATES),
]


def _agrees(law, values):
    tolerance = 6 / math.sqrt(values.size)
    assert values.mean() == pytest.approx(law.mean, abs=tolerance * math.sqrt(law.variance) + 1e-6)
    assert values.var() == pytest.approx(law.variance, rel=0.02 + 2 * tolerance, abs=1e-12)


@pytest.mark.parametrize(("distribution", "parameter"), CASES, ids=lambda case: type(case).__name__)
def test_laws_are_those_of_the_values(distribution, parameter):
    _agrees(law_of(distribution, parameter), draw(distribution, parameter, 1))


@pytest.mark.parametrize(("distribution", "parameter"), CASES[-2:], ids=("chrono", "gates"))
def test_parts_are_the_gates(distribution, parameter):
    weight = laws_of(InitPlan((Row(parameter, distribution, ""),)))[parameter.name]
    assert weight.source == "plan"
    assert len(weight.parts) == 4
    values = draw(distribution, parameter, 1)
    for law, part in zip(weight.parts, np.split(values, 4, weight.axis), strict=True):
        _agrees(law, part)


def test_what_is_orthogonal_says_so():
    assert law_of(d.Orthogonal(), KERNEL).orthogonal
    assert not law_of(d.Normal(0.0, 1.0), KERNEL).orthogonal
    weight = laws_of(InitPlan((Row(GATES, CASES[-1][0], ""),)))["gates"]
    assert [law.orthogonal for law in weight.parts] == [False, False, True, False]


def test_names_are_words():
    assert law_of(d.TruncatedNormal(0.0, 1.0), KERNEL).name == "truncated normal"
