"""State spaces, with parameters named as in the authors' code."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate
from torch import nn

import fanin
from fanin.errors import FaninError

RANK, INNER, STATE = 16, 400, 16


class Mamba(nn.Module):
    def __init__(self):
        super().__init__()
        self.in_proj = nn.Linear(128, 2 * INNER, bias=False)
        self.x_proj = nn.Linear(INNER, RANK + 2 * STATE, bias=False)
        self.dt_proj = nn.Linear(RANK, INNER)
        self.A_log = nn.Parameter(torch.zeros(INNER, STATE))
        self.D = nn.Parameter(torch.zeros(INNER))
        self.out_proj = nn.Linear(INNER, 128, bias=False)


class S4D(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_dt = nn.Parameter(torch.zeros(500))
        self.log_A_real = nn.Parameter(torch.zeros(500, 32))
        self.A_imag = nn.Parameter(torch.zeros(500, 32))
        self.C = nn.Parameter(torch.ones(500, 32, 2))
        self.D = nn.Parameter(torch.zeros(500))


def test_mamba_is_the_papers():
    model = fanin.initialize(Mamba(), "torch_default + mamba", seed=2)
    np.testing.assert_allclose(
        -torch.exp(model.A_log.detach()), np.tile(-np.arange(1.0, 17), (INNER, 1)), rtol=1e-6
    )
    steps = nn.functional.softplus(model.dt_proj.bias.detach().double()).numpy()
    assert (steps.min() >= 0.001 * (1 - 1e-4), steps.max() <= 0.1 * (1 + 1e-4)) == (True, True)
    assert np.log(steps).mean() == pytest.approx(math.log(0.01), abs=0.2)
    assert float(model.dt_proj.weight.detach().abs().max()) <= RANK**-0.5
    assert float(model.dt_proj.weight.detach().pow(2).mean()) == pytest.approx(1 / (3 * RANK), rel=0.05)
    assert model.D.detach().eq(1).all()
    assert float(model.in_proj.weight.detach().pow(2).mean()) == pytest.approx(1 / (3 * 128), rel=0.05)


def test_s4d_is_the_papers():
    model = fanin.initialize(S4D(), "s4d", seed=2)
    np.testing.assert_allclose(-torch.exp(model.log_A_real.detach()), -0.5, rtol=1e-6)
    np.testing.assert_allclose(model.A_imag.detach()[7], np.pi * np.arange(32), rtol=1e-6)
    log_dt = model.log_dt.detach().double()
    assert float(log_dt.min()) >= math.log(0.001)
    assert float(log_dt.mean()) == pytest.approx(math.log(0.01), abs=0.2)
    assert model.C.eq(1).all()


def test_the_plan_has_the_second_moments():
    plan = fanin.plan(Mamba(), "mamba(dt_min=0.01, dt_max=1.0)")
    inverse = integrate.quad(lambda u: math.log(math.expm1(math.exp(u))) ** 2, math.log(0.01), 0)[0]
    assert plan["dt_proj.bias"].sd ** 2 == pytest.approx(inverse / math.log(100))
    assert plan["A_log"].sd ** 2 == pytest.approx(np.mean(np.log(np.arange(1, 17)) ** 2))


def test_other_schemes_leave_a_state_space_alone():
    kept = {kept.name: kept.reason for kept in fanin.plan(Mamba(), "he_normal").untouched}
    assert kept["A_log"].startswith("state spaces stay as they are")
    assert set(kept) == {"A_log", "D"}


def test_steps_that_do_not_exist_are_refused():
    with pytest.raises(FaninError, match="0 < low <= high"):
        fanin.plan(Mamba(), "mamba(dt_min=0)")


def test_a_parameter_called_d_is_not_enough():
    model = nn.Linear(3, 4)
    model.D = nn.Parameter(torch.zeros(4))
    assert "mamba: skip" not in str(fanin.plan(model, "he_normal + mamba"))
