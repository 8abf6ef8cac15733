"""Public faulty programs are found, and healthy models are not disturbed."""

import pytest
import torch

import fanin
from fanin.rules.finding import at_least
from rules.faulty import CLEAR, HEALTHY, MODERATE, Case
from rules.faulty_ends import ENDS, FITTING
from rules.faulty_wiring import WIRING
from rules.healthy import WRITTEN


def _found(case: Case):
    torch.manual_seed(0)
    model, x, y, loss = case.make()
    return fanin.diagnose(model, x, y, loss=loss).findings


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("case", CLEAR + MODERATE + WIRING + ENDS, ids=lambda case: case.name)
def test_faults(case):
    found = [one for one in _found(case) if at_least(one.severity, "warning")]
    first = next((one for one in found if one.family in case.families), None)
    assert first is not None, [(one.code, one.where) for one in found]
    if case.where:
        assert first.where == case.where
    if case.moderate:
        assert all(one.severity != "error" for one in found)


@pytest.mark.parametrize("case", HEALTHY + WRITTEN + FITTING, ids=lambda case: case.name)
def test_healthy_models(case):
    limit = "error" if case.moderate else "warning"
    assert not [(one.code, one.message) for one in _found(case) if at_least(one.severity, limit)]


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("case", CLEAR + WIRING + ENDS, ids=lambda case: case.name)
def test_one_cause(case):
    """A fault is one or two findings, whatever follows from it."""
    found = [one for one in _found(case) if at_least(one.severity, "warning")]
    assert len(found) <= 2, [(one.code, one.where) for one in found]
