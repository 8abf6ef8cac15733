import subprocess
import sys

import pytest
import torch
from torch import nn

from fanin.errors import FaninError
from fanin.testing import assert_healthy


def network(constant=None):
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    if constant is not None:
        for parameter in model.parameters():
            nn.init.constant_(parameter, constant)
    return model


def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(32, 20, generator=generator), torch.arange(32) % 10


def test_a_healthy_model_passes_and_the_diagnosis_comes_back():
    found = assert_healthy(network(), *batch(), loss="cross_entropy", severity="warning")
    assert found.ok
    assert found.vitals.output.kind == "cross_entropy"


def test_the_message_has_code_layer_reason_and_fix_of_each_finding():
    x, y = batch()
    with pytest.raises(AssertionError) as error:
        assert_healthy(network(0.01), 1000 * x, y, loss="cross_entropy")
    lines = str(error.value).splitlines()
    assert lines[0] == "Sequential is not healthy at step 0."
    assert lines[1].startswith("  error INP101 unscaled-input at input 0: The input is of scale ")
    assert lines[2] == "    fix: standardize the inputs: (x - mean) / sd of each feature"
    assert lines[3].startswith("  error SYM101 identical-units at 0: 100% of the 64 units of 0 ")
    assert lines[4].startswith("    fix: ")
    assert lines[5].startswith("    hence: ")
    assert len(lines) == 6


def test_a_batch_is_a_pair_as_loaders_yield_it():
    assert assert_healthy(network(), list(batch()), loss="cross_entropy").vitals.inputs[0].shape == (32, 20)


def test_two_inputs_without_a_loss_are_no_inputs_and_targets():
    found = assert_healthy(nn.Bilinear(20, 20, 10), (batch()[0], batch()[0]))
    assert [one.shape for one in found.vitals.inputs] == [(32, 20), (32, 20)]


def test_severity_select_and_ignore():
    given = network(0.01), *batch()
    assert_healthy(*given, loss="cross_entropy", ignore=["SYM", "BWD", "FWD", "OUT", "SET"])
    assert_healthy(*given, loss="cross_entropy", select=["INP"])
    x = batch()[0] * torch.logspace(0, 3, 20)  # features of very different scales
    assert_healthy(network(), x, loss="mse", select=["INP102"])
    with pytest.raises(AssertionError, match="warning INP102"):
        assert_healthy(network(), x, loss="mse", select=["INP102"], severity="warning")
    with pytest.raises(FaninError, match="no severity"):
        assert_healthy(*given, severity="bad")  # pyright: ignore[reportArgumentType]


TESTS = """
from fanin.testing import assert_healthy as function

def model(constant):
    import torch
    model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    for parameter in model.parameters() if constant else ():
        torch.nn.init.constant_(parameter, constant)
    return model

def test_good(assert_healthy):
    assert assert_healthy is function
    assert_healthy(model(None), inputs=(32, 20), loss="cross_entropy")

def test_bad(assert_healthy):
    assert_healthy(model(0.01), inputs=(32, 20), loss="cross_entropy")
"""


def test_pytest_finds_the_fixture_by_itself(tmp_path):
    (tmp_path / "test_mine.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert "1 failed, 1 passed" in done.stdout
    assert "AssertionError: Sequential is not healthy at step 0." in done.stdout
    assert "  error SYM101 identical-units at 0: " in done.stdout
    assert "healthy.py" not in done.stdout  # the traceback ends in the test


def test_the_plugin_loads_nothing_before_it_is_used():
    code = "import pytest, sys; before = {*sys.modules}; import fanin.testing.plugin"
    code += "; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if not name.startswith("fanin")} == set()
