"""Kinks and jumps are found, wherever they are, and nothing is found where there are none."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from fanin import FaninError
from fanin.theory.activation import Activation
from fanin.theory.panels import resolve

PLACES = st.floats(-5, 5).filter(lambda x: abs(x) > 1e-3)


def resolved(function):
    with np.errstate(all="ignore"):
        return resolve(Activation("f", function))


@settings(max_examples=40, deadline=None)
@given(place=PLACES, left=st.floats(-1, 1), turn=st.floats(0.1, 3))
def test_a_kink_is_found_anywhere(place, left, turn):
    panels = resolved(lambda x: left * x + turn * np.maximum(x - place, 0))
    assert panels.kinks == pytest.approx([place], abs=1e-8)
    assert panels.jumps == panels.singular == ()


@settings(max_examples=40, deadline=None)
@given(place=PLACES, step=st.floats(0.01, 3))
def test_a_jump_is_found_anywhere(place, step):
    panels = resolved(lambda x: np.tanh(x) + step * (x > place))
    assert panels.jumps == pytest.approx([place], abs=1e-11)
    assert panels.kinks == panels.singular == ()


@pytest.mark.parametrize("gap", [1e-3, 1e-4])
@pytest.mark.parametrize("start", [0.0, 0.123, -2.71])
def test_two_kinks_close_together_are_told_apart(start, gap):
    panels = resolved(lambda x: np.clip(x, start, start + gap))
    assert panels.kinks == pytest.approx([start, start + gap], abs=1e-8)


def test_a_steep_ramp_is_no_jump():
    panels = resolved(lambda x: np.clip(x, 0.123, 0.12301))
    assert panels.jumps == panels.singular == ()


@pytest.mark.parametrize("half", [1e-3, 1e-6])
def test_kinks_on_both_sides_of_an_edge_are_found(half):
    panels = resolved(lambda x: x - np.clip(x, -half, half))
    inside = (panels.edges > -2 * half) & (panels.edges < 2 * half)
    assert np.max(np.abs(np.abs(panels.edges[inside & (panels.edges != 0)]) - half)) < 0.01 * half


@pytest.mark.parametrize(
    "function",
    [np.tanh, np.sin, np.exp, lambda x: x**5, lambda x: np.sin(40 * x), lambda x: 1e6 + np.tanh(x), np.cos],
)
def test_a_smooth_function_has_neither(function):
    panels = resolved(function)
    assert panels.kinks == panels.jumps == panels.singular == ()
    assert panels.error < 1e-12


def test_stairs_have_a_jump_a_step():
    panels = resolved(lambda x: np.round(4 * x) / 4)
    assert np.allclose(panels.jumps, np.arange(-37.875, 38, 0.25))


def test_values_of_few_digits_are_followed_as_far_as_they_go():
    panels = resolved(lambda x: np.tanh(x.astype(np.float32)).astype(np.float64))
    assert panels.error == 1e-5
    assert panels.jumps == ()


def test_what_no_normal_number_reaches_may_overflow():
    panels = resolved(lambda x: np.exp(20 * x) / (1 + np.exp(20 * x)))  # nan above 35
    assert panels.edges[0] == -38
    assert 8 < panels.edges[-1] < 35


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (np.sqrt, "nan at x = -"),
        (lambda x: np.where(abs(x - 3) < 0.4, np.inf, x), "inf at x = "),
        (lambda x: np.sin(1e9 * x), "oscillates"),
        (np.tan, "poles"),
    ],
)
def test_what_cannot_be_followed_is_said(function, said):
    with pytest.raises(FaninError, match=said):
        resolved(function)
