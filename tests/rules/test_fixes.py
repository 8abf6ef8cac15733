"""Fixes are tried, and mend what they say they mend."""

import copy

import pytest
import torch
from torch import nn

import fanin
from fanin.errors import FaninError
from rules.faulty import CE, CLEAR, b2, base_cnn, chain, constant, digits, each, faint_and_loud

WORKS = ("A1", "A3", "A7", "A9", "A11", "B3", "C1", "D1", "D2", "D6", "D11", "D19", "D22", "D25", "D28")
WORKS += ("E2", "E6", "E11")


@pytest.mark.parametrize(
    "case", [one for one in CLEAR if one.name.split()[0] in WORKS], ids=lambda one: one.name
)
def test_fixes(case):
    torch.manual_seed(0)
    model, x, y, loss = case.make()
    before = copy.deepcopy(model.state_dict())
    report = fanin.diagnose(model, x, y, loss=loss).fix_report()
    assert report.works
    assert report.gone
    assert not report.left
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_what_other_weights_do_not_mend():
    """A sigmoid's slope is 1/4 at most: other weights help little, and the report says so."""
    torch.manual_seed(0)
    model, x, y, loss = b2()
    report = fanin.diagnose(model, x, y, loss=loss).fix_report()
    assert not report.works
    assert [one.code for one in report.left] == ["BWD101", "FWD103"]
    assert report.to_dict()["works"] is False


def test_the_plan_of_a_fix():
    model = each(base_cnn(), constant(0.01))
    found = fanin.diagnose(model, *digits(flat=False), loss=CE)
    plan = found.fixed_plan()
    assert plan.scheme == "he_normal"
    fanin.apply(plan, model)
    assert fanin.diagnose(model, *digits(flat=False), loss=CE).ok


def test_the_text_of_a_report():
    torch.manual_seed(0)
    model, x, y, loss = CLEAR[0].make()
    shown = str(fanin.diagnose(model, x, y, loss=loss).fix_report())
    assert "weights drawn anew by he_normal" in shown
    assert "✓ SYM101 identical-units is gone" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_fix_for_what_a_fix_brings_to_light():
    torch.manual_seed(0)
    model, x, y, loss = faint_and_loud()
    report = fanin.diagnose(model, x, y, loss=loss).fix_report()
    assert [(fix.scheme, fix.inputs) for fix in report.fixes] == [("auto", False), ("", True)]
    assert report.works
    assert report.after.ok


def test_networks_of_other_seeds():
    def make():
        return nn.Sequential(nn.Linear(4, 1), nn.ReLU())

    torch.manual_seed(0)
    x = torch.rand(64, 4)
    found = fanin.diagnose(make, x, torch.rand(64, 1), loss="mse", seeds=24)
    assert 0.1 < found.vitals.born_dead < 0.7
    assert "SAT105" in [one.code for one in found.findings]


def test_nothing_to_try():
    x, y = digits()
    found = fanin.diagnose(chain(784, 32, 10), x, y, loss=CE)
    assert found.ok
    with pytest.raises(FaninError, match="No finding"):
        found.fix_report()
    with pytest.raises(FaninError, match="No finding"):
        found.fixed_plan()


def test_inputs_of_several_kinds():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.table, self.head = nn.Linear(8, 16), nn.Embedding(10, 16), nn.Linear(16, 4)

        def forward(self, x, ids):
            return self.head(torch.relu(self.one(x) + self.table(ids)))

    x, ids = 300 + 100 * torch.randn(32, 8), torch.arange(32) % 10
    for batch in ((x, ids), {"x": x, "ids": ids}):
        found = fanin.diagnose(Two(), batch, torch.arange(32) % 4, loss="cross_entropy")
        assert found.findings[0].code == "INP101"
        assert found.fix_report().works
