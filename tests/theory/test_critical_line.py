"""Critical lines against reference numbers of another program, closed forms and properties."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin import FaninError, critical_line, mean_field
from fanin.report.phase.record import LINE_SCHEMA
from fanin.theory.critical import critical_point
from fanin.theory.names import named

# activation, q: sigma_w^2, sigma_b^2, in ten digits.
POINTS = """
tanh .015625 1.0305575108 .0000046513
tanh .1 1.1775690962 .0008322804
tanh .25 1.3939616283 .0081251542
tanh .5 1.6879751206 .0380412011
tanh 1 2.1533026489 .1509646294
tanh 1.5 2.5324817186 .3140686678
tanh 2 2.8611624000 .5122649476
tanh 3 3.4244566325 .9814914177
erf .015625 .8095698965 .0000047844
erf .1 .9292956392 .0009363804
erf .25 1.1107207345 .0096990168
erf .5 1.3603495232 .0465501589
erf 1 1.7562036828 .1841396778
erf 1.5 2.0779682205 .3781193213
erf 2 2.3561944902 .6090571730
erf 3 2.8317933498 1.1436876932
sin .015625 1.0156237286 .0000012714
sin .1 1.0996679946 .0003320054
sin .25 1.2449186624 .0050813376
sin .5 1.4621171573 .0378828427
sin 1 1.7615941560 .2384058440
sin 1.5 1.9051482536 .5948517464
sin 2 1.9640275801 1.0359724199
sin 3 1.9950547537 2.0049452463
softsign .015625 1.4025023767 .0001733991
softsign .1 2.0331306617 .0048026075
softsign .25 2.6538089625 .0223408353
softsign .5 3.3665578153 .0678041117
softsign 1 4.3922963608 .1961481804
softsign 1.5 5.1898469814 .3569726003
softsign 2 5.8676117958 .5404701758
softsign 3 7.0132236215 .9562916199
gelu .015625 3.8514041844 .0001429004
gelu .1 3.3001999066 .0039956599
gelu .25 2.8114753430 .0152229051
gelu .5 2.4555064168 .0345426952
gelu 1 2.1936999035 .0671916747
gelu 1.5 2.0931410070 .0936938638
gelu 2 2.0428510988 .1163219915
gelu 3 1.9960624844 .1543795296
silu .015625 3.9393916025 .0000587328
silu .1 3.6662626091 .0019911107
silu .25 3.3299147864 .0094165730
silu .5 2.9876702582 .0262264555
silu 1 2.6351686599 .0624715002
silu 1.5 2.4535077287 .0966224156
silu 2 2.3426186347 .1278889342
silu 3 2.2147304451 .1831484285
elu .015625 1.0940534767 .0000258117
elu .1 1.2167017090 .0008176737
elu .25 1.3130626367 .0040100284
elu .5 1.4009687653 .0123207500
elu 1 1.4967774354 .0346602520
elu 1.5 1.5535896179 .0605846962
elu 2 1.5931232182 .0880701047
elu 3 1.6465969292 .1445580596
selu .015625 .5459338914 .0000398112
selu .1 .6464403471 .0013427995
selu .25 .7350227528 .0069382446
selu .5 .8245395082 .0224133609
selu 1 .9332058018 .0667941982
selu 1.5 1.0039558610 .1210118960
selu 2 1.0563128540 .1804922390
selu 3 1.1316288184 .3070759682
"""
ROWS = [(name, *map(float, numbers)) for name, *numbers in map(str.split, POINTS.strip().splitlines())]
LINES = {name: critical_line(name) for name in dict.fromkeys(row[0] for row in ROWS)}


@pytest.mark.parametrize(("name", "q", "weight", "bias"), ROWS)
def test_reference_points(name, q, weight, bias):
    near = min(LINES[name].at(bias), key=lambda point: abs(point.q - q))
    # The bias variance is given to 5e-11, of which q is a steep function where there is little of it.
    assert near.weight_variance == pytest.approx(weight, abs=1e-8 if bias > 1e-3 else 1e-4)
    assert critical_point(named(name), q) == pytest.approx((weight, bias), abs=6e-11)


@pytest.mark.parametrize(
    ("name", "bias", "q", "weight"),
    [
        ("tanh", 0.0001, 0.0457090787, 1.0860262925),
        ("tanh", 0.001, 0.1072923561, 1.1891895852),
        ("tanh", 0.01, 0.2733009135, 1.4242052905),
        ("tanh", 0.04, 0.5120785042, 1.7007963721),
        ("tanh", 0.05, 0.5700478816, 1.7609546396),
        ("tanh", 0.1, 0.8057991819, 1.9860726411),
        ("tanh", 0.2, 1.1644962875, 2.2851524737),
        ("tanh", 0.3, 1.4611694469, 2.5051271897),
        ("erf", 0.01, 0.2532096563, 1.1142800634),
        ("erf", 0.05, 0.5171768380, 1.3758390073),
        ("erf", 0.1, 0.7263592294, 1.5521178553),
    ],
)
def test_the_line_at_a_variance_of_the_biases(name, bias, q, weight):
    (point,) = LINES[name].at(bias)
    assert (point.q, point.weight_variance, point.bias_variance) == pytest.approx(
        (q, weight, bias), abs=6e-11
    )
    assert point.gain == pytest.approx(math.sqrt(weight))
    assert point.stability == "stable"


@pytest.mark.parametrize(
    ("name", "q", "weight", "bias"),
    [
        ("gelu", 3.5615528128, 1.9830582574, 0.1729223908),
        ("silu", 14.3201736180, 1.9880046783, 0.5551431707),
    ],
)
def test_half_stable_points(name, q, weight, bias):
    (point,) = LINES[name].half_stable
    assert (point.q, point.weight_variance, point.bias_variance) == pytest.approx((q, weight, bias), rel=1e-9)
    line = LINES[name].points
    assert {one.stability for one in line if 1e-3 < one.q < q * 0.9} == {"unstable"}
    assert {one.stability for one in line if q * 1.1 < one.q < 1e3} == {"stable"}


@pytest.mark.parametrize("name", ["softplus", "log_sigmoid", "squareplus"])
def test_no_realisable_critical_point(name):
    line = critical_line(name)
    assert (line.points, line.without_bias, line.half_stable, line.at(0.1)) == ((), (), (), ())
    assert "no realisable critical point" in str(line)


def test_sigmoid_has_none_that_anybody_would_use():
    line = critical_line("sigmoid")
    assert min(point.q for point in line.points) > 45
    assert min(point.weight_variance for point in line.points) > 100  # a gain of 10
    assert "from q = 45.62" in line.notes[0]
    assert mean_field("sigmoid", line.points[0].weight_variance).chi_1 == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "weight"),
    [("relu", 2), ("identity", 1), ("abs", 1), ("leaky_relu(0.2)", 2 / 1.04)],
)
def test_homogeneous_functions_are_critical_at_one_point(name, weight):
    line = critical_line(name)
    assert {round(point.weight_variance, 9) for point in line.points} == {round(weight, 9)}
    assert {point.bias_variance for point in line.points} == {0}
    assert {point.stability for point in line.points} == {"marginal"}
    assert line.at(0.1) == ()


@pytest.mark.parametrize(
    ("name", "weight", "stability"),
    [
        ("tanh", 1, "stable"),
        ("sin", 1, "stable"),
        ("erf", math.pi / 4, "stable"),
        ("softsign", 1, "stable"),
        ("gelu", 4, "unstable"),
        ("silu", 4, "unstable"),
        ("elu", 1, "stable"),
        ("hard_tanh", 1, "marginal"),
    ],
)
def test_critical_gains_without_biases(name, weight, stability):
    (point,) = critical_line(name).without_bias
    assert (point.q, point.weight_variance) == pytest.approx((0.0, weight), abs=1e-9)
    assert point.stability == stability


@settings(max_examples=8, deadline=None)
@given(bias=st.floats(0.002, 2), name=st.sampled_from(["tanh", "erf", "selu", "softsign", "sin"]))
def test_points_of_the_line_are_critical(bias, name):
    for point in LINES[name].at(bias):
        found = mean_field(name, point.weight_variance, bias)
        assert found.q == pytest.approx(point.q, rel=1e-6)
        assert found.chi_1 == pytest.approx(1, abs=1e-8)
        assert mean_field(name, point.weight_variance * 1.01, bias).phase == "chaotic"
        assert mean_field(name, point.weight_variance * 0.99, bias).phase == "ordered"


@pytest.mark.parametrize("name", ["sign", "step", "hard_shrink"])
def test_what_jumps_has_no_line(name):
    with pytest.raises(FaninError, match="no critical line"):
        critical_line(name)


@pytest.mark.parametrize("name", ["gelu", "relu", "sigmoid", "softplus"])
def test_it_prints_and_is_plain_data(name):
    line = critical_line(name)
    assert max(map(len, str(line).splitlines())) <= 80
    assert json.loads(line.to_json(), parse_constant=pytest.fail) == line.to_dict()
    assert line.to_dict()["schema"] == LINE_SCHEMA
    assert name in line._repr_html_()


def test_a_negative_variance_is_none():
    with pytest.raises(FaninError, match="bias_variance is -1"):
        LINES["tanh"].at(-1)
