import json

import pytest

from commands import invoke
from fanin import SignalGraph

MODELS = """
from torch import nn

def net():
    print("building")
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))
def number(): return 3
class Branching(nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x
def branches(): return nn.Sequential(nn.Linear(20, 64), Branching(), nn.Linear(64, 3))
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    (tmp_path / "models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return "models.py:net"


def test_the_tree(model):
    out = invoke(f"trace {model} --input 4x20").stdout
    assert "Sequential: 3 operations, 1,539 parameters in 4 tensors" in out
    assert "relu" in out
    assert "batch 4, ch 64" in out
    assert "building" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_what_a_branch_leaves(model):
    done = invoke("trace models.py:branches --input 4x20")
    assert done.exit_code == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "0 (Linear): linear 64 × 20" in words
    assert "1 (Branching): unknown: Branching" in words
    assert "2 (Linear): linear 3 × 64" in words
    assert "1 operation that nobody understands" in words
    assert "Sequential cannot be traced as a whole" in words


def test_json_comes_back_as_the_graph(model):
    out = invoke(f"trace {model} --input 4x20 --scheme he_normal --json").stdout
    graph = SignalGraph.from_json(out)
    assert json.loads(out)["schema"] == "fanin.signal_graph/1"
    assert graph.weight["0.weight"].law.variance == pytest.approx(2 / 20, rel=1e-6)
    assert graph.weight["0.weight"].source == "plan"


def test_graphviz(model):
    assert invoke(f"trace {model} --input 4x20 --dot").stdout.startswith("digraph")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "There is no --input"),
        ("--input 4x20 --dot --json", "two ways to print one graph"),
        ("--input 4x21", "fails when it is called"),
    ],
)
def test_bad_input(model, arguments, message):
    result = invoke(f"trace {model} {arguments}")
    assert result.exit_code == 2
    assert message in result.stderr
