"""Mean field theory against reference numbers, closed forms, properties and real networks."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanin
from fanin import FaninError, gain, mean_field
from fanin.report.phase.record import MEAN_FIELD_SCHEMA
from fanin.theory.activation import Activation
from fanin.theory.meanfield import mean_field_of

# tanh with sigma_b^2 = .05, computed by another program: sigma_w^2: q, chi_1, c, xi_q, xi_c, xi_gradient.
DEPTH_SCALES = {
    1.0: (0.19359252, 0.75903165, 1.0, 1.74762624, 3.62697562, 3.62697562),
    1.2: (0.26990201, 0.84516643, 1.0, 1.80878307, 5.94453576, 5.94453576),
    1.3: (0.31531648, 0.88016351, 1.0, 1.78523663, 7.83406927, 7.83406927),
    1.5: (0.4180372, 0.93863627, 1.0, 1.68282839, 15.79099403, 15.79099403),
    1.7: (0.53307563, 0.98674081, 1.0, 1.55825401, 74.9182705, 74.9182705),
    1.76: (0.56946284, 0.99979642, 1.0, 1.52167117, 4911.67529241, 4911.67529241),
    1.8: (0.59413217, 1.00822314, 0.95041055, 1.49788379, 125.7840938, -122.10730025),
    2.0: (0.72176187, 1.047666, 0.74408242, 1.38797575, 25.21341479, -21.47543432),
    2.5: (1.06395838, 1.1335157, 0.44680423, 1.17987292, 11.79559752, -7.97931502),
    3.0: (1.42800846, 1.20893442, 0.29931764, 1.0414607, 9.05145573, -5.27038858),
    4.0: (2.19549393, 1.34240241, 0.16506496, 0.87329337, 6.98027353, -3.39603714),
}


@pytest.mark.parametrize(("weight", "expected"), DEPTH_SCALES.items())
def test_depth_scales_of_tanh(weight, expected):
    found = mean_field("tanh", weight, 0.05)
    numbers = (found.q, found.chi_1, found.c, found.xi_q, found.xi_c, found.xi_gradient)
    assert numbers == pytest.approx(expected, rel=2e-8 if weight != 1.76 else 1e-7)
    assert found.phase == ("ordered" if weight < 1.77 else "chaotic")
    assert found.trainable_depth == 6 * found.xi_c


def test_the_critical_weights_of_tanh():
    found = mean_field("tanh", 1.7609546396, 0.05)
    assert found.phase == "critical"
    assert (found.q, found.c) == pytest.approx((0.5700478816, 1.0))
    assert found.xi_c == found.trainable_depth == found.xi_gradient == math.inf


SLOPES = {  # of the length map under the gain
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


@pytest.mark.parametrize(("name", "slope"), SLOPES.items())
def test_slopes_under_the_gain(name, slope):
    found = mean_field(name, gain(name).gain ** 2)
    assert found.q == pytest.approx(1.0, rel=1e-9)
    assert found.slope == pytest.approx(slope, abs=5.1e-4)
    assert any("deviations grow" in note for note in found.notes) == (slope > 1.01)


@settings(max_examples=25, deadline=None)
@given(weight=st.floats(0.05, 1.95), bias=st.floats(1e-3, 10))
def test_relu_in_closed_form(weight, bias):
    found = mean_field("relu", weight, bias)
    assert found.phase == "ordered"
    assert found.q == pytest.approx(bias / (1 - weight / 2), rel=1e-9)
    assert (found.chi_1, found.slope, found.c) == pytest.approx((weight / 2, weight / 2, 1.0))


@settings(max_examples=15, deadline=None)
@given(weight=st.floats(0.3, 20), bias=st.floats(0, 2))
def test_sign_in_closed_form(weight, bias):
    found = mean_field("sign", weight, bias)
    assert found.q == pytest.approx(weight + bias)
    assert (found.phase, found.chi_1, found.xi_q) == ("chaotic", math.inf, 0.0)
    c = found.c
    assert (weight * 2 / math.pi * math.asin(c) + bias) / (weight + bias) == pytest.approx(c, abs=1e-9)
    assert found.chi_c == pytest.approx(
        weight / (weight + bias) * 2 / math.pi / math.sqrt(1 - c * c), rel=1e-6
    )


@settings(max_examples=10, deadline=None)
@given(weight=st.floats(0.9, 8), bias=st.floats(0.01, 1))
def test_erf_in_closed_form(weight, bias):
    found = mean_field("erf", weight, bias)
    q = found.q
    assert weight * 2 / math.pi * math.asin(2 * q / (1 + 2 * q)) + bias == pytest.approx(q)
    assert found.chi_1 == pytest.approx(weight * 4 / math.pi / math.sqrt(1 + 4 * q), rel=1e-9)
    share, c = 2 * q / (1 + 2 * q), found.c
    assert (weight * 2 / math.pi * math.asin(share * c) + bias) / q == pytest.approx(c, abs=1e-9)


@settings(max_examples=8, deadline=None)
@given(weight=st.floats(0.5, 5), bias=st.floats(0.005, 1), factor=st.floats(0.1, 10))
def test_a_factor_of_the_activation_is_one_of_the_weights(weight, bias, factor):
    scaled = Activation("scaled", lambda x: factor * np.tanh(x))
    one, two = mean_field("tanh", weight, bias), mean_field_of(scaled, weight / factor**2, bias)
    assert (one.q, one.chi_1, one.c) == pytest.approx((two.q, two.chi_1, two.c), rel=1e-6, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(weight=st.floats(0.2, 6), bias=st.floats(0.001, 2))
def test_phase_and_fixed_points_belong_together(weight, bias):
    found = mean_field("hard_tanh", weight, bias)
    assert [point.stability for point in found.fixed_points] == ["stable"]
    assert (found.c < 1) == (found.chi_1 > 1 + 1e-9) == (found.phase == "chaotic")
    assert 0 <= found.chi_c < 1 or found.phase == "critical"


@pytest.mark.parametrize(
    ("name", "weight", "bias", "phase", "q"),
    [
        ("relu", 2.0, 0.0, "critical", 1.0),
        ("identity", 1.0, 0.0, "critical", 1.0),
        ("relu", 2.0, 0.1, "unbounded", math.inf),
        ("relu", 2.5, 0.0, "unbounded", math.inf),
        ("relu", 1.5, 0.0, "vanishing", 0.0),
        ("tanh", 0.5, 0.0, "vanishing", 0.0),
        ("tanh", 1.0, 0.0, "critical", 0.0),
        ("gelu", 2.2, 0.07, "unbounded", math.inf),
        ("exp", 0.3, 0.0, "unbounded", math.inf),
        ("hard_shrink", 1.0, 0.0, "vanishing", 0.0),
        ("square", 0.3, 0.0, "vanishing", 0.0),
    ],
)
def test_where_signals_end(name, weight, bias, phase, q):
    found = mean_field(name, weight, bias)
    assert (found.phase, found.q) == (phase, q)
    if q in (0.0, math.inf):
        assert (found.c, found.xi_c, found.correlation_map) == (None, None, None)


def test_every_fixed_point_is_found():
    found = mean_field("square", 0.3, 0.1)  # q = .9 q^2 + .1
    assert [point.q for point in found.fixed_points] == pytest.approx([1 / 9, 1.0])
    assert [point.slope for point in found.fixed_points] == pytest.approx([0.2, 1.8])
    assert [point.stability for point in found.fixed_points] == ["stable", "unstable"]
    odd = mean_field("tanh", 1.5)
    assert [(round(point.q, 4), point.stability) for point in odd.fixed_points] == [
        (0, "unstable"),
        (0.2869, "stable"),
    ]


def test_fixed_points_that_touch():
    found = mean_field("square", 1 / 3 / 0.4, 0.1)  # q = 2.5 q^2 + .1: twice q = .2
    assert [(round(point.q, 6), point.stability) for point in found.fixed_points] == [(0.2, "half-stable")]
    assert found.phase == "unbounded"  # from 1, above it


def test_gelu_at_its_half_stable_point():
    found = mean_field("gelu", 1.9830582574, 0.1729223908)
    half = [point for point in found.fixed_points if point.stability == "half-stable"]
    assert [point.q for point in half] == pytest.approx([3.5615528128], abs=1e-4)  # a double root


def test_the_correlation_rests_where_its_parabola_says_close_to_criticality():
    found = mean_field("tanh", 1.05, 2.01e-5)
    assert found.chi_1 - 1 == pytest.approx(1.92e-7, rel=1e-3)
    curved = 1.05 * found.q * 4 * found.q  # sigma_w^2 q E[f''^2] for f'' = -2 x
    assert 1 - found.c == pytest.approx(2 * (found.chi_1 - 1) / curved, rel=0.25)


def test_a_deep_network_does_what_theory_says():
    weight, bias, width = 2.0, 0.05, 1200
    rng, found = np.random.default_rng(0), mean_field("tanh", weight, bias)
    x = rng.standard_normal((2, width), dtype=np.float32)
    for _ in range(40):
        kernel = rng.standard_normal((width, width), dtype=np.float32) * math.sqrt(weight / width)
        x = np.tanh(x) @ kernel + rng.standard_normal(width, dtype=np.float32) * math.sqrt(bias)
    q = np.mean(x**2)
    assert q == pytest.approx(found.q, rel=0.08)
    assert np.mean(x[0] * x[1]) / q == pytest.approx(found.c, abs=0.1)


def test_it_prints_saves_and_draws_itself(tmp_path):
    found = mean_field("tanh", 1.8, 0.05)
    text = str(found)
    assert max(map(len, text.splitlines())) <= 80
    for part in ("0.594132", "0.950411", "125.8", "122.1 (grow)", "Chaotic"):
        assert part in text
        assert part in found._repr_html_()
    record = found.to_dict()
    assert json.loads(found.to_json()) == record
    assert record["schema"] == MEAN_FIELD_SCHEMA
    assert "datasets" in found.plot().to_dict()
    assert "Chaotic" in found.to_html(tmp_path / "page.html").read_text()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.q = 1.0


def test_json_has_no_infinities():
    for name, weight, bias in [("relu", 2, 0), ("relu", 3, 0), ("sign", 1, 0.1), ("tanh", 0.5, 0)]:
        record = json.loads(mean_field(name, weight, bias).to_json(), parse_constant=pytest.fail)
        assert record["trainable_depth"] is None or record["phase"] == "chaotic"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tanh", -1.0), "weight_variance is -1.0"),
        (("tanh", 0.0), "nothing gets through"),
        (("tanh", 1.0, math.inf), "bias_variance is inf"),
        (("tanh", True), "weight_variance is True"),
        (("tahn", 1.0), "tanh"),
        (("softmax", 1.0), "mixes its elements"),
    ],
)
def test_bad_input(arguments, words):
    with pytest.raises(FaninError, match=words):
        fanin.mean_field(*arguments)


def test_what_is_not_exact_says_so():
    assert any("about" in note for note in mean_field("tanh", 3e4, 0.01).notes)
    assert not mean_field("tanh", 3.0, 0.01).notes


def test_a_slope_without_a_bound_leaves_chi_1_unknown():
    root = Activation("root", lambda x: np.sqrt(np.abs(x)))
    found = mean_field_of(root, 1.0, 0.1)
    assert (found.phase, found.chi_1, found.c, found.xi_c) == ("unknown", None, None, None)
    assert found.q == pytest.approx(0.8244906, rel=1e-5)  # q = E abs(z) sqrt(q) + .1


def test_a_constant_lets_nothing_through():
    found = mean_field_of(Activation("three", lambda x: 0 * x + 3), 1.5, 0.1)
    assert (found.q, found.chi_1, found.c, found.xi_c) == pytest.approx((13.6, 0.0, 1.0, 0.0), abs=1e-9)
    assert "0 (shrink)" in str(found)
