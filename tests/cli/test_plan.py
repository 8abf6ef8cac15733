import json

import pytest

from commands import invoke
from fanin.schemes.plan import InitPlan

MODELS = """
import keras
from torch import nn

def net():
    print("building")
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 1))
def wide(width): return net()
def default(width=3): return net()
def lazy(): return keras.Sequential([keras.layers.Dense(3)])
def dense(): return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
def empty(): return nn.Identity()
def number(): return 3
def fails(): return {}["x"]
class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(nn.Linear(1, 1).weight)
def mine(): return Mine()
model = net()
"""


@pytest.fixture
def models(tmp_path, monkeypatch):
    (tmp_path / "models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["net", "default", "model", "dense"])
def test_a_plan_of_a_function_or_a_model(models, name):
    done = invoke(f"plan models.py:{name} --scheme glorot_uniform")
    assert done.exit_code == 0
    assert "glorot_uniform: Var = 2 / (fan_in + fan_out)" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "building" not in done.stdout


def test_json_is_a_plan(models):
    record = json.loads(invoke("plan models.py:net --json").stdout)
    assert record["schema"] == "fanin.plan/1"
    plan = InitPlan.from_dict(record)
    assert [row.parameter.name for row in plan] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert record["rows"][0]["fan_in"] == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("models.py:wide", "models.py:wide needs width."),
        ("models.py:lazy", "is not built"),
        ("models.py:empty", "has no parameters"),
        ("models.py:number", "A value of type int is no model."),
        ("models.py:fails", "models.py:fails fails: KeyError"),
        ("models.py:nett", "did you mean net"),
        ("models.py:net --scheme hee_normal", "perhaps he_normal"),
        ("models.py:net --scheme 'normal(stddev=-1)'", "not negative"),
        ("models.py:mine --strict", "1 parameters are of unknown layers: scale"),
    ],
)
def test_bad_input_is_one_message(models, arguments, message):
    done = invoke(f"plan {arguments}")
    assert done.exit_code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_unknown_parameters_are_noted(models):
    assert "Parameters of unknown layers stay as they are: scale." in invoke("plan models.py:mine").stdout
