import json

import pytest

from commands import invoke, run
from fanin import SignalProfile

MODELS = """
import torch
from torch import nn
import keras

def net():
    print("building")
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))
def dense(): return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
def words(): return nn.Sequential(nn.Embedding(50, 8), nn.Flatten(), nn.Linear(128, 3))
def meta(): return nn.Sequential(nn.Linear(20, 4, device="meta"))
class Sorted(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(20, 20), nn.Linear(20, 3)
    def forward(self, x):
        return self.last(torch.sort(self.first(x)).values)
def sorts(): return Sorted()
class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(20, 20)
    def forward(self, x):
        return self.first(x) if x.sum() > 0 else x
def branches(): return Branching()
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(20, 20)
    def forward(self, x):
        y = self.inner(x)
        if y.sum() > 0:  # the branch
            y = y * 2
        return x + y
def blocks(): return nn.Sequential(nn.Linear(20, 20), nn.Tanh(), Block(), nn.Linear(20, 3))
class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(20, 3)
    def forward(self, x, y): return self.a(x) + y
def two(): return Two()
def number(): return 3
def fails(): return {}["x"]
def wide(width): return net()
"""


@pytest.fixture
def models(tmp_path, monkeypatch):
    (tmp_path / "models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["net --input 8x20", "dense --input 8x4", "words --input 8x16:tokens"])
def test_models_are_propagated(models, name):
    done = invoke(f"propagate models.py:{name}")
    assert done.exit_code == 0, done.stderr
    assert "predicted, nothing was run" in done.stdout
    assert "building" not in done.stdout


def test_inputs_by_place_and_by_name(models):
    by_place = invoke("propagate models.py:two --input 8x20 --input 8x3")
    by_name = invoke("propagate models.py:two --input y=8x3 --input x=8x20")
    assert by_place.exit_code == by_name.exit_code == 0
    assert "Inputs: 8 × 20, N(0, 1); 8 × 3, N(0, 1)." in by_place.stdout.replace("\n", " ").replace(
        "\xa0", " "
    )


def test_json_is_a_profile(models):
    done = invoke("propagate models.py:net --input 8x20 --scheme he_normal --loss cross_entropy --json")
    profile = SignalProfile.from_json(done.stdout)
    assert list(profile) == ["0", "1", "2"]
    assert profile["0"].forward.q.value == pytest.approx(2, rel=0.02)
    assert profile.cotangent == "the cross_entropy of random targets"


def test_measured_stands_beside_predicted(models):
    command = "propagate models.py:net --input 64x20 --measure --seeds 3 --scheme he_normal"
    done = invoke(command)
    assert done.exit_code == 0, done.stderr
    assert "predicted and measured" in done.stdout
    record = json.loads(invoke(f"{command} --json").stdout)
    assert record["schema"] == "fanin.profile_comparison/1"
    assert record["other"]["notes"] == ["3 networks of he_normal, 1 batch each"]
    assert 0.5 < record["agreement"][0]["ratio"] < 2


def test_a_page_is_written(models):
    done = invoke("propagate models.py:net --input 8x20 --measure --html page.html")
    assert done.exit_code == 0
    assert "Page: page.html" in done.stderr
    text = (models / "page.html").read_text()
    assert "fanin propagate · Sequential" in text
    assert "Predicted and measured" in text


def test_an_operation_that_nobody_knows_leaves_the_rest(models):
    done = invoke("propagate models.py:sorts --input 8x20")
    assert done.exit_code == 0
    words = " ".join(done.stdout.split())
    assert "first Linear" in words
    assert "Signals are unknown from last" in words
    assert "aten.sort" in words
    assert 'fanin.theory.register_rule("aten.sort", rule)' in words
    record = json.loads(invoke("propagate models.py:sorts --input 8x20 --json").stdout)
    known = {layer["name"]: layer["forward"] is not None for layer in record["layers"]}
    assert known == {"first": True, "last": False}


def test_a_branch_on_values_leaves_what_comes_before_it(models):
    branch = next(n for n, line in enumerate(MODELS.splitlines(), 1) if "# the branch" in line)
    done = invoke("propagate models.py:blocks --input 8x20 --scheme he_normal")
    assert done.exit_code == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "2 of 5 layers (40 %) are unknown, from 2 on." in words
    assert "Signals are unknown from 2" in words
    assert "Block (2): what it does depends on values at" in words
    assert f"models.py:{branch}." in "".join(done.stdout.split())  # a long path is folded anywhere
    assert "Sequential cannot be traced as a whole" in words
    assert "nothing was run" not in words
    assert "Fix: torch.where, or a mask" in words
    record = json.loads(invoke("propagate models.py:blocks --input 8x20 --scheme he_normal --json").stdout)
    known = {layer["name"]: layer["forward"] for layer in record["layers"]}
    assert [name for name, forward in known.items() if forward] == ["0", "1", "2.inner"]
    assert known["0"]["q"]["value"] == pytest.approx(2, rel=0.02)
    assert known["2"] is known["3"] is None


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("net", "There is no --input."),
        ("net --input 8y20", "'8y20' describes no input."),
        ("net --input 0x20", "0 is no size of an axis."),
        ("net --input 8x21", "Sequential fails when it is called"),
        ("net --input 8x20 --input x=8x3", "Some inputs have names and others have not."),
        ("net --input 8x20 --input 8x3", "Sequential fails when it is called"),
        ("net --input 8x20 --loss hinge", "'hinge' is no loss here."),
        ("net --input 8x20 --scheme he_norml", "There is no scheme 'he_norml'."),
        ("net --input 8x20 --seeds 3", "--seeds and --batches are for --measure."),
        ("net --input 8x20 --measure --seeds 0", "seeds is 0."),
        ("net --input 8x20 --measure --batches 0", "batches is 0."),
        ("net --input 8x20 --html no/page.html", "no/page.html cannot be written"),
        ("words --input 8x16", "ids, which are whole numbers"),
        ("words --input 8x16", 'fix: "8x16:tokens"'),
        ("meta --input 8x20 --measure", "is on the meta device"),
        ("branches --input 8x20", "What Branching does depends on values at"),
        ("number --input 8x20", "is no model"),
        ("fails --input 8x20", "models.py:fails fails: KeyError"),
        ("wide --input 8x20", "models.py:wide needs width."),
        ("nothing --input 8x20", "models.py has no 'nothing'."),
    ],
)
def test_bad_input_is_one_message(models, command, words):
    done = invoke(f"propagate models.py:{command}")
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_the_real_command(models):
    code, stdout, stderr = run("propagate models.py:net --input 8x20 --measure", models)
    assert code == 0, stderr
    assert "predicted and measured" in stdout
    assert "building" in stderr
