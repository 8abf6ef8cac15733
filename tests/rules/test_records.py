"""Diagnoses and rules as plain data."""

import torch

from diagnoses import diagnosis, finding, layer, mlp, several, weight
from fanin.rules.catalogue import RULES
from fanin.rules.records import plain, rule_records
from fanin.rules.vitals import Parameter, Source, Spread

INSTALLED = Source(torch.nn.modules.linear.__file__, 53)
BLOCK, MODEL = Source("/project/block.py", 7), Source("/project/model.py", 3)


def source_of(where, layers, source=INSTALLED):
    record = diagnosis(layers, [finding(where=where, source=source)]).to_dict()
    return record["findings"][0]["source"]


def test_the_users_class_is_named():
    layers = [
        layer("h.0.up", where=INSTALLED),
        layer("h.0", kind="other", where=BLOCK),
        layer("Net", where=MODEL),
    ]
    assert source_of("h.0", layers, BLOCK) == {"file": "/project/block.py", "line": 7}
    assert source_of("h.0.up", layers) == {"file": "/project/block.py", "line": 7}
    assert source_of("h.0.up.weight", layers, Source()) == {"file": "/project/block.py", "line": 7}
    assert source_of("head", layers) == {"file": "/project/model.py", "line": 3}


def test_where_all_classes_are_installed_the_layers_own_is_kept():
    layers = [layer("0", where=INSTALLED)]
    assert source_of("0", layers) == {"file": INSTALLED.file, "line": 53}
    assert source_of("0.weight", layers, Source()) == {"file": "", "line": 0}


def test_layers_say_how_much_of_them_is_stuck():
    stuck, learns = weight("0.weight", zero=(1.0, 1.0)), weight("0.more", zero=(0.5, 0.0), shape=(3, 1024))
    unlocks = weight("2.weight", zero=(1.0, 0.0))
    relu = layer("0", kind="activation", type_="Net", function="relu")
    made = diagnosis([layer("0"), relu, layer("2"), layer("4")], parameters=[stuck, learns, unlocks])
    assert [one["stuck"] for one in made.to_dict()["layers"]] == [0.25, None, 0.0, None]


def test_frozen_parameters_are_not_stuck():
    frozen = Parameter("0.weight", (4, 4), "0", Spread(0, 1, 2), trained=False)
    made = diagnosis([layer("0")], parameters=[frozen])
    assert made.to_dict()["layers"][0]["stuck"] is None
    assert made.to_dict()["parameters"] == {"count": 1, "values": 16, "trained": 0}


def test_counts_are_of_causes():
    assert several().to_dict()["counts"] == {"error": 2, "warning": 2, "info": 1}
    assert mlp(3, 1.0).to_dict()["ok"] is True


def test_consequences_end_there():
    cause = finding(consequences=(finding("BWD101"),))
    (record,) = diagnosis([layer("0")], [cause]).to_dict()["findings"]
    assert set(record) - set(record["consequences"][0]) == {"consequences"}


def test_what_json_has_no_number_for():
    infinite = float("inf")
    assert plain({1: [infinite, (-infinite, 2.0)], "a": float("nan")}) == {
        "1": [None, [None, 2.0]],
        "a": None,
    }


def test_rules_are_listed_once():
    codes = [record["code"] for record in rule_records()]
    assert sorted(codes) == sorted(RULES)
