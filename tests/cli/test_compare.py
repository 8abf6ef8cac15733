"""`fanin compare`: what it prints and keeps; the process-wide side of it is in test_processes."""

import json

import pytest

from commands import USER, invoke
from fanin.cli.compare import _split


def record(command):
    result = invoke(f"{command} --json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_without_arguments_it_is_the_seeds_study():
    found = record("compare --seeds 2 --epochs 1")["study"]
    assert found["builder"] == "multilayer perceptron 20-64-32-1"
    assert found["data"] == "seed"
    assert found["schemes"] == ["zeros", "random_normal", "glorot_normal", "he_normal"]
    assert (found["loss"], found["metrics"]) == ("binary_crossentropy", ["accuracy"])
    assert found["batch_size"] == 32


def test_without_a_builder_schemes_may_have_rules_by_role():
    found = record("compare --schemes auto,irnn --seeds 1 --epochs 1")
    assert [run["scheme"] for run in found["runs"]] == ["auto", "irnn"]
    assert found["notes"] == []


@pytest.mark.parametrize("task", ["digits", "breast_cancer", "wine", "iris", "diabetes"])
def test_built_in_data_come_with_a_model_and_a_loss(task):
    found = record(f"compare --data {task} --schemes zeros,he_normal --seeds 2 --epochs 1")
    assert found["score"]["metric"] == ("val_mae" if task == "diabetes" else "val_accuracy")
    assert len(found["runs"]) == 4


def test_the_text_fits_the_terminal(folder):
    result = invoke("MINE --metric accuracy --target loss=.3 --control zeros")
    assert result.exit_code == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stdout.startswith("Exploratory")
    assert "he_normal" in result.stdout


def test_options_reach_the_study(folder):
    found = record(
        "MINE --optimizer sgd --metric accuracy --metric auc --score auc --target accuracy=.7 "
        "--control he_normal --batch-size 7 --seeds 3,5"
    )
    study = found["study"]
    assert (study["optimizer"], study["metrics"], study["batch_size"]) == ("sgd", ["accuracy", "auc"], 7)
    assert study["seeds"] == [3, 5]
    assert found["score"] == {"metric": "val_auc", "direction": "max"}
    assert found["control"] == "he_normal"
    assert found["time_to_target"]["metric"] == "val_accuracy"


def test_a_trailing_comma_makes_one_seed(folder):
    assert record("MINE --seeds 7,")["study"]["seeds"] == [7]
    assert record("MINE --seeds 1")["study"]["seeds"] == [0]


def test_what_the_users_files_print_is_not_in_the_result(folder):
    result = invoke("MINE --json")
    assert "a builder that prints" in result.stderr
    assert json.loads(result.stdout)["schema"] == "fanin.comparison/1"


def test_only_what_is_new_is_trained(folder):
    stored = "MINE --store runs.db"
    for more, trained, reused in [
        ("", 4, 0),
        ("", 0, 4),
        ("--seeds 4", 4, 4),
        ("--schemes zeros,he_normal,ones --seeds 4", 4, 8),
        ("--schemes ones --seeds 1", 0, 1),
        ("--target loss=.5 --score loss --control zeros", 0, 4),  # the same runs, another question
        ("--epochs 2", 4, 0),  # another study
        ("--optimizer sgd", 4, 0),
    ]:
        speed = record(f"{stored} {more}")["speed"]
        assert (speed["trained"], speed["reused"]) == (trained, reused), more
    (folder / "user.py").write_text(USER.replace("layers.Dense(4", "layers.Dense(6"))
    assert record(stored)["speed"]["trained"] == 4  # an edited builder
    listed = json.loads(invoke("runs runs.db --json").stdout)["studies"]
    assert [study["runs"] for study in listed] == [12, 4, 4, 4]


def test_reused_runs_say_the_same_as_trained_ones(folder):
    first, again = (record("MINE --store runs.db --metric accuracy") for _ in range(2))
    for changing in ("speed", "environment"):
        del first[changing], again[changing]
    assert first == again


def test_the_report_is_written(folder):
    result = invoke("MINE --html report.html")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, "Report: report.html")
    assert "he_normal" in (folder / "report.html").read_text(encoding="utf-8")
    assert invoke("MINE --html report.html").exit_code == 0  # again, in its place


COMPILED = """
def compiled(initializer):
    model = net(initializer)
    model.compile(keras.optimizers.SGD(0.0), keras.losses.MeanSquaredError(), metrics=["mae"])
    return model
"""


def test_a_compiled_model_keeps_what_the_options_do_not_name(folder):
    with (folder / "user.py").open("a") as file:
        file.write(COMPILED)
    compiled = "compare user.py:compiled --data user.py:load_data --schemes he_normal --seeds 1 --epochs 2"
    own = record(compiled)["runs"][0]["curves"]
    assert set(own) == {"loss", "mae", "val_loss", "val_mae"}
    assert own["val_loss"][0] == own["val_loss"][1]  # its learning rate is 0
    more = record(f"{compiled} --metric mse")["runs"][0]["curves"]
    assert more["val_loss"] == own["val_loss"] == more["val_mse"]
    other = record(f"{compiled} --loss mae")["runs"][0]["curves"]
    assert other["val_loss"] == other["val_mae"] == own["val_mae"]
    faster = record(f"{compiled} --optimizer adam")["runs"][0]["curves"]
    assert faster["val_loss"][0] != faster["val_loss"][1]


def test_the_users_model_learns_built_in_data_with_their_loss_or_its_own(folder):
    with (folder / "user.py").open("a") as file:
        file.write("def iris(initializer): return net(initializer, 3, 'softmax', 4)\n")
        file.write("def own_loss(initializer):\n    model = iris(initializer)\n")
        file.write("    model.compile('sgd', keras.losses.SparseCategoricalCrossentropy(from_logits=True))\n")
        file.write("    return model\n")
    small = "--data iris --schemes he_normal --seeds 1 --epochs 1"
    natural = record(f"compare user.py:iris {small} --optimizer sgd")["runs"][0]["curves"]
    assert "val_accuracy" in natural
    own = record(f"compare user.py:own_loss {small}")["runs"][0]["curves"]
    assert set(own) == {"loss", "val_loss"}
    assert own["loss"] != natural["loss"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("zeros,he_normal", ["zeros", "he_normal"]),
        ("zeros, normal(mean=0, stddev=.02),ones,", ["zeros", "normal(mean=0, stddev=.02)", "ones"]),
        ("", []),
    ],
)
def test_schemes_are_split_outside_parentheses(text, parts):
    assert _split(text) == parts
