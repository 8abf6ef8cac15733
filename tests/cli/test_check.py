"""`fanin check` with real models in small files."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from commands import invoke, run
from fanin.cli.settings import settings

MODELS = """
import torch
from torch import nn

X, Y = torch.randn(64, 20, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 3


def net():
    print("building")
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))


def constant():
    model = net()
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.01)
    return model


class Loud(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(20, 64), nn.Linear(64, 3)
        nn.init.normal_(self.first.weight, 0, 5)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))


def loud(): return Loud()
def ones():
    model = net()
    nn.init.ones_(model[2].weight)
    return model
def words(): return nn.Sequential(nn.Embedding(50, 8), nn.Flatten(), nn.Linear(128, 3))
class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(20, 3)
    def forward(self, x, y): return self.a(x) + y
def two(): return Two()
MODEL = nn.Sequential(nn.Linear(20, 3))
def number(): return 3
def fails(): return {}["x"]
def wide(width): return net()


def batch():
    print("batching")
    return X, Y
def inputs(): return X
def both(): return (X, X[:, :3]), Y
def mapping(): return {"x": X, "y": X[:, :3]}
def batches():
    yield X, Y
    raise AssertionError("only the first is wanted")
def no_batches(): yield from ()
LOADER = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=32)
PAIR = X, Y
def nothing(): pass
def needs(path): return X, Y
def breaks(): return {}["y"]
def shorter(): return X, Y[:63]


def loss(outputs, targets): return nn.functional.cross_entropy(outputs, targets)
class Loss:
    def __call__(self, outputs, targets): return loss(outputs, targets)
def text(outputs, targets): return "high"
"""

PLAIN = "--data models.py:batch --loss cross_entropy"


@pytest.fixture
def models(tmp_path, monkeypatch):
    (tmp_path / "models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return tmp_path


def check(command):
    return invoke(f"check models.py:{command}")


def codes(done):
    return [finding["code"] for finding in json.loads(done.stdout)["findings"]]


def test_a_healthy_model(models):
    done = check(f"net {PLAIN}")
    assert done.exit_code == 0, done.stderr
    assert "✓ Healthy at step 0" in done.stdout
    assert "building" not in done.stdout
    assert "batching" not in done.stdout


def test_a_fault(models):
    done = check(f"constant {PLAIN}")
    assert done.exit_code == 1
    assert "✗ Not healthy at step 0: identical units at 0 (Linear)." in done.stdout
    assert "error SYM101 identical-units at 0 (Linear)" in done.stdout
    assert done.stderr.splitlines() == ["building", "batching"]


@pytest.mark.parametrize(
    "batch",
    [
        "--data models.py:batch",
        "--data models.py:PAIR",
        "--data models.py:batches",
        "--data models.py:LOADER",
        "--data models.py:inputs",
        "--data models.py:X",
        "--input 64x20",
    ],
)
def test_batches_of_all_kinds(models, batch):
    done = check(f"constant {batch} --loss cross_entropy --format json")
    assert done.exit_code == 1, done.stderr
    assert codes(done) == ["SYM101"]
    (given,) = json.loads(done.stdout)["inputs"]
    assert given["shape"] == [32 if "LOADER" in batch else 64, 20]
    assert given["described"] == ("--input" in batch)


@pytest.mark.parametrize("data", ["--data models.py:mapping", "--input x=8x20 --input y=8x3"])
def test_several_inputs(models, data):
    done = check(f"two {data} --format json")
    assert done.exit_code == 0, done.stderr
    assert [given["name"] for given in json.loads(done.stdout)["inputs"]] == ["x", "y"]


def test_several_inputs_with_targets(models):
    done = check("two --data models.py:both --loss cross_entropy --format json")
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    assert len(record["inputs"]) == 2
    assert record["loss"]["kind"] == "cross_entropy"


def test_tokens(models):
    assert check("words --input 8x16:tokens --loss cross_entropy").exit_code == 0


@pytest.mark.parametrize(
    "loss", ["cross_entropy", "models.py:loss", "models.py:Loss", "torch.nn:CrossEntropyLoss"]
)
def test_losses(models, loss):
    record = json.loads(check(f"net --data models.py:batch --loss {loss} --format json").stdout)
    assert record["loss"]["kind"] == "cross_entropy"
    assert record["loss"]["guess"] == pytest.approx(1.0986, abs=1e-3)


def test_rules_are_chosen(models):
    loud = f"loud {PLAIN} --format json"
    assert codes(check(loud)) == ["SAT101"]
    assert codes(check(f"{loud} --select FWD,BWD --select OUT")) == []
    assert json.loads(check(f"{loud} --select NUM").stdout)["rules"] == ["NUM101", "NUM102", "NUM103"]
    assert codes(check(f"{loud} --ignore saturated-units")) == []


@pytest.mark.parametrize(
    ("model", "level", "code"),
    [
        ("constant", "error", 1),
        ("constant", "never", 0),
        ("ones", "error", 0),
        ("ones", "warning", 1),
        ("ones", "info", 1),
        ("net", "info", 0),
    ],
)
def test_exit_codes(models, model, level, code):
    assert check(f"{model} {PLAIN} --fail-on {level}").exit_code == code


def test_json_is_the_diagnosis(models):
    record = json.loads(check(f"constant {PLAIN} --format json").stdout)
    assert record["schema"] == "fanin.diagnosis/1"
    assert record["ok"] is False
    assert record["counts"] == {"error": 1, "warning": 0, "info": 0}
    assert [layer["twins"] for layer in record["layers"]] == [1.0, 0.0, 0.0]


def test_sarif(models):
    document = json.loads(check(f"loud {PLAIN} --format sarif").stdout)
    schema = Path(__file__).parents[1] / "report" / "diagnosis" / "sarif-2.1.0.json"
    jsonschema.validate(document, json.loads(schema.read_text(encoding="utf-8")))
    (result,) = document["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    line = 1 + MODELS.splitlines().index("class Loud(nn.Module):")
    assert place["artifactLocation"] == {"uri": "models.py", "uriBaseId": "SRCROOT"}
    assert place["region"] == {"startLine": line}


def test_annotations_are_at_the_factory_where_classes_are_nobodys(models):
    done = check(f"constant {PLAIN} --format github")
    line = 1 + MODELS.splitlines().index("def constant():")
    assert done.stdout.startswith(f"::error file=models.py,line={line},title=SYM101 identical-units::0: ")
    assert len(done.stdout.splitlines()) == 1
    assert check(f"net {PLAIN} --format github").stdout == ""


def test_paths_are_those_of_githubs_checkout(models, monkeypatch):
    (models / "src").mkdir()
    (models / "models.py").rename(models / "src" / "models.py")
    monkeypatch.chdir(models / "src")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(models))
    assert "file=src/models.py," in check(f"constant {PLAIN} --format github").stdout


def test_a_page_is_written(models):
    done = check(f"constant {PLAIN} --html page.html")
    assert done.exit_code == 1
    assert "Page: page.html" in done.stderr
    text = (models / "page.html").read_text(encoding="utf-8")
    assert "fanin check · Sequential" in text
    assert "About SYM101" in text


def test_several_networks(models):
    done = check(f"net {PLAIN} --seeds 4")
    assert done.exit_code == 0, done.stderr
    assert "0 % of 4 networks are born dead" in done.stdout.replace("\xa0", " ")
    assert done.stderr.count("building") == 4


def test_what_is_known_is_no_news(models):
    written = check(f"constant {PLAIN} --write-baseline known.json")
    assert written.exit_code == 0
    assert "Baseline: known.json, 1 known finding" in written.stderr
    assert "SYM101" in written.stdout
    document = json.loads((models / "known.json").read_text())
    assert document == {
        "schema": "fanin.baseline/1",
        "findings": [{"code": "SYM101", "where": "0", "name": "identical-units"}],
    }
    again = check(f"constant {PLAIN} --baseline known.json")
    assert again.exit_code == 0
    assert "1 known finding left out" in " ".join(again.stdout.split())
    other = check(f"loud {PLAIN} --baseline known.json")
    assert other.exit_code == 1  # another fault is one
    assert "Baseline: SYM101 at 0 is there no longer" in other.stderr


def test_a_baseline_is_written_anew_whatever_it_held(models):
    (models / "fanin.toml").write_text('[check]\nbaseline = "known.json"\n')
    for _ in range(2):
        assert check(f"constant {PLAIN} --write-baseline known.json").exit_code == 0
        assert "SYM101" in (models / "known.json").read_text()
    assert check(f"constant {PLAIN}").exit_code == 0


def test_settings_of_the_project(models):
    (models / "pyproject.toml").write_text('[tool.fanin.check]\nfail-on = "warning"\nignore = ["SAT"]\n')
    assert check(f"ones {PLAIN}").exit_code == 1
    assert check(f"ones {PLAIN} --fail-on error").exit_code == 0
    assert check(f"loud {PLAIN}").exit_code == 0
    assert check(f"loud {PLAIN} --ignore NUM").exit_code == 1


def test_settings_by_layer(models):
    (models / "fanin.toml").write_text('[check.per-layer-ignores]\n"first*" = ["SAT"]\n')
    assert check(f"loud {PLAIN} --format json").exit_code == 1  # the tanh belongs to the model
    (models / "fanin.toml").write_text('[check.per-layer-ignores]\n"Lou?" = ["SAT101"]\n')
    done = check(f"loud {PLAIN} --format json")
    assert (done.exit_code, codes(done), json.loads(done.stdout)["known"]) == (0, [], 0)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("net", "There is no batch."),
        ("net", "--input 8x3x224x224, or --data file.py:batch"),
        ("net --input 8x20 --data models.py:batch", "There are two batches."),
        ("net --input 8y20", "'8y20' describes no input."),
        ("net --input 8x21", "Sequential fails"),
        ("net --input 8x20 --loss hinge", "There is no loss 'hinge'."),
        ("net --input 8x20 --loss models.py:X", "of type Tensor, not a loss"),
        ("net --input 8x20 --loss models.py:los", "did you mean loss"),
        ("net --data models.py:batch --loss models.py:text", "The loss returns str."),
        ("net --input 8x20 --select FWD9", "There is no rule FWD9."),
        ("net --input 8x20 --ignore vanishing-forward", "vanishing-forward-signal"),
        ("net --input 8x20 --seeds 0", "seeds is 0."),
        ("MODEL --input 8x20 --seeds 3", "models.py:MODEL is one model."),
        ("net --input 8x20 --html no/page.html", "no/page.html cannot be written"),
        ("net --input 8x20 --write-baseline no/known.json", "no/known.json cannot be written"),
        ("net --input 8x20 --baseline absent.json", "absent.json cannot be read: No such file"),
        ("net --input 8x20 --baseline models.py", "models.py is no baseline."),
        ("net --data models.py:nothing", "models.py:nothing returned no batch."),
        ("net --data models.py:no_batches", "models.py:no_batches returned no batch."),
        ("net --data models.py:needs", "models.py:needs needs path."),
        ("net --data models.py:breaks", "models.py:breaks fails: KeyError"),
        ("net --data models.py", "names a file, but not a function that returns a batch"),
        ("net --data models.py:shorter --loss cross_entropy", "The loss cross_entropy fails"),
        ("number --input 8x20", "is no model"),
        ("fails --input 8x20", "models.py:fails fails: KeyError"),
        ("wide --input 8x20", "models.py:wide needs width."),
        ("absent --input 8x20", "models.py has no 'absent'."),
    ],
)
def test_bad_input_is_one_message(models, command, words):
    done = check(command)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_wrong_level_is_bad_usage(models):
    done = check(f"net {PLAIN} --fail-on fatal")
    assert done.exit_code == 2
    assert "'fatal' is not one of" in done.stderr


def test_a_wrong_choice_is_said_before_any_work(models):
    done = check(f"net {PLAIN} --select FWD9")
    assert "building" not in done.stderr


def test_the_real_command(models):
    code, stdout, stderr = run(f"check models.py:constant {PLAIN}", models)
    assert (code, stderr.splitlines()) == (1, ["building", "batching"])
    assert max(len(line.rstrip()) for line in stdout.splitlines()) <= 80
    assert re.search(r"^error SYM101 identical-units at 0", stdout, re.MULTILINE)


GUIDE = (Path(__file__).parents[2] / "docs" / "check.md").read_text(encoding="utf-8")


def test_the_guide_shows_what_is_printed(tmp_path, monkeypatch):
    """All of it but the seconds, and the numbers of the table, which are what rounding leaves of 0."""
    monkeypatch.chdir(tmp_path)
    (source,) = re.findall(r"```python\n(# model.py\n.*?)```", GUIDE, re.DOTALL)
    command, shown = re.search(r"```\n\$ fanin (.*?)\n(.*?)```", GUIDE, re.DOTALL).groups()
    (tmp_path / "model.py").write_text(source)
    printed = invoke(command).stdout

    def words(text):
        told = text.partition("\nlayer  ")[0]
        return re.sub(r"in [\d.]+ s", "in 1 s", told).split()

    assert words(printed) == words(shown)


def test_the_settings_of_the_guide_are_settings(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "pyproject.toml").write_text(text)
    found = settings(tmp_path)
    assert found.fail_on == "warning"
    assert found.per_layer_ignores["blocks.*.gate"] == ("SAT", "SET103")
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "fanin.toml").write_text(text.replace("tool.fanin.", ""))
    assert settings(tmp_path).ignore == found.ignore


def test_the_file_may_bring_keras(models):
    """Its backend is chosen before any of the user's files can import it."""
    (models / "data.py").write_text(
        "import keras\nimport numpy as np\ndef batch(): return np.ones((8, 20), 'float32')\n"
    )
    (models / "plain.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(nn.Linear(20, 4), nn.Tanh())\n"
    )
    code = (
        "import sys\nfrom fanin.cli import main\n"
        "try: main('check plain.py:net --data data.py:batch'.split())\n"
        "except SystemExit as error: print(error.code, 'tensorflow' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=models,
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"},
    )
    assert done.stderr.splitlines()[-1] == "0 False"


def test_fixes_that_are_tried(tmp_path):
    file = tmp_path / "model.py"
    file.write_text(
        "import torch\n\n\ndef make():\n"
        "    model = torch.nn.Sequential(torch.nn.Linear(20, 32), torch.nn.Tanh(), torch.nn.Linear(32, 4))\n"
        "    for parameter in model.parameters():\n"
        "        torch.nn.init.constant_(parameter, 0.01)\n    return model\n"
    )
    line = f"check {file}:make --input 32x20 --loss cross_entropy --fix-report"
    done = invoke(line)
    assert done.exit_code == 1
    assert "✓ SYM101 identical-units is gone" in done.stdout
    record = json.loads(invoke(f"{line} --format json").stdout)
    assert (record["schema"], record["works"]) == ("fanin.fix_report/1", True)
    assert invoke(f"{line} --format sarif").exit_code == 2
    assert invoke(f"{line} --html {tmp_path / 'page.html'}").exit_code == 1
    assert "Tried on a copy" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_model_on_meta(tmp_path):
    file = tmp_path / "model.py"
    file.write_text(
        "import torch\n\n\ndef make():\n"
        "    with torch.device('meta'):\n        return torch.nn.Linear(20, 4)\n"
    )
    done = invoke(f"check {file}:make --input 8x20")
    assert done.exit_code == 1, done.stderr
    assert "SET101" in done.stdout


def test_widths(tmp_path):
    file = tmp_path / "model.py"
    file.write_text(
        "import torch\n\n\ndef make(width):\n    model = torch.nn.Sequential(torch.nn.Linear(20, width), "
        "torch.nn.Linear(width, width), torch.nn.Linear(width, 4))\n    for layer in model:\n"
        "        torch.nn.init.normal_(layer.weight, 0, 0.2)\n    return model\n"
    )
    line = f"check {file}:make --input 32x20 --loss cross_entropy --widths"
    done = invoke(f"{line} 32,128,512 --fail-on warning")
    assert done.exit_code == 1
    assert "WID101" in done.stdout
    assert invoke(f"{line} wide").exit_code == 2
