"""A phase diagram is mean field theory, point by point."""

import functools
import json

import numpy as np
import pytest

from fanin import FaninError, mean_field, phase_diagram
from fanin.report.phase.record import DIAGRAM_SCHEMA
from fanin.theory.activation import Activation
from fanin.theory.names import named
from fanin.theory.phase import phase_diagram_of


@functools.cache
def made(name):
    return phase_diagram(name)


@pytest.mark.parametrize("name", ["tanh", "selu", "hard_tanh", "cos", "gelu", "relu", "sign", "silu"])
def test_points_are_those_of_mean_field(name):
    diagram, rng = made(name), np.random.default_rng(1)
    for _ in range(5):
        i, j = (int(rng.integers(count)) for count in diagram.phase.shape)
        found = mean_field(name, diagram.weight_variances[j], diagram.bias_variances[i])
        assert diagram.phase[i, j] == found.phase
        assert diagram.chi_1[i, j] == pytest.approx(found.chi_1, rel=1e-6)
        if found.c is None:
            assert np.isnan(diagram.c[i, j])
            continue
        assert diagram.q[i, j] == pytest.approx(found.q, rel=1e-5)
        assert diagram.c[i, j] == pytest.approx(found.c, abs=1e-4)
        assert diagram.xi_c[i, j] == pytest.approx(found.xi_c, rel=0.01)


def test_order_ends_at_the_critical_line():
    diagram = made("tanh")
    step = diagram.weight_variances[1] - diagram.weight_variances[0]
    for i in range(0, len(diagram.bias_variances), 9):
        (point,) = diagram.line.at(diagram.bias_variances[i])
        first = diagram.weight_variances[np.argmax(diagram.phase[i] == "chaotic")]
        assert point.weight_variance == pytest.approx(first - step / 2, abs=step)


def test_ranges_and_sizes():
    diagram = phase_diagram_of(named("tanh"), (1.0, 2.0), (0.0, 0.1), (5, 4))
    assert diagram.phase.shape == (4, 5)
    np.testing.assert_allclose(diagram.weight_variances, [1.1, 1.3, 1.5, 1.7, 1.9])
    np.testing.assert_allclose(diagram.bias_variances, [0.0125, 0.0375, 0.0625, 0.0875])


def test_without_a_line_all_is_chaos():
    diagram = made("sign")
    assert diagram.line is None
    assert set(diagram.phase.flat) == {"chaotic"}
    assert "inputs part at once" in str(diagram)


def test_it_is_plain_data_and_prints():
    diagram = made("gelu")
    record = json.loads(diagram.to_json(), parse_constant=pytest.fail)
    assert record == diagram.to_dict()
    assert record["schema"] == DIAGRAM_SCHEMA
    assert max(map(len, str(diagram).splitlines())) <= 80
    assert "Half-stable" in diagram._repr_html_()


@pytest.mark.parametrize("ranges", [{"weight_variances": (2, 1)}, {"bias_variances": (-1, 1)}])
def test_ranges_that_are_none(ranges):
    with pytest.raises(FaninError, match="is none"):
        phase_diagram("tanh", **ranges)


def test_a_slope_without_a_bound_has_no_diagram():
    with pytest.raises(FaninError, match="its slope has no bound"):
        phase_diagram_of(Activation("root", lambda x: np.sqrt(np.abs(x))))
