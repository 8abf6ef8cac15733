"""SARIF logs fit the official schema, and say where in the user's files a finding is.

The schema beside this file is that of SARIF 2.1.0 as @microsoft/sarif-multitool-linux 5.7.0 ships it (MIT).
"""

import json
from pathlib import Path

import jsonschema
import pytest
import torch

from diagnoses import EVIL, blocks, diagnosis, evil, finding, layer, mlp, several, unmade, vanishing
from fanin.report.diagnosis.sarif import log
from fanin.rules.records import rule_records
from fanin.rules.vitals import Source

SCHEMA = json.loads((Path(__file__).parent / "sarif-2.1.0.json").read_text(encoding="utf-8"))
ROOT = Path("/project").resolve()
HOME = {"file": str(ROOT / "my models" / "net.py"), "line": 12}
SHOWN = [mlp(3, 1.0), vanishing(), several(), blocks(), unmade(), evil()]


def made(shown, home=HOME):
    return log(shown.to_dict(), rule_records(), ROOT, home)


def results(shown, home=HOME):
    return made(shown, home)["runs"][0]["results"]


@pytest.mark.parametrize("home", [None, HOME, {"file": "/elsewhere/net.py", "line": 0}])
@pytest.mark.parametrize("shown", SHOWN)
def test_it_fits_the_schema(shown, home):
    document = json.loads(json.dumps(made(shown, home), allow_nan=False))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), "2.0.0"),
        (("runs", 0, "results", 0, "level"), "info"),
        (("runs", 0, "results", 0, "locations", 0, "physicalLocation", "region", "startLine"), 0),
        (("runs", 0, "results", 0, "message"), {}),
        (("runs", 0, "tool", "driver", "rules", 0, "id"), 3),
    ],
)
def test_the_schema_would_notice(path, value):
    document = made(vanishing())
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_rules_come_with_their_pages():
    driver = made(vanishing())["runs"][0]["tool"]["driver"]
    rules = {rule["id"]: rule for rule in driver["rules"]}
    assert set(rules) == set(vanishing().rules)
    rule = rules["FWD101"]
    assert rule["name"] == "VanishingForwardSignal"
    assert rule["defaultConfiguration"]["level"] == "error"
    assert "**What it checks.**" in rule["help"]["markdown"]
    assert "*" not in rule["help"]["text"].replace("2 * ", "")
    assert rule["shortDescription"]["text"] == "Signals shrink from layer to layer."


def test_every_result_points_at_its_rule():
    run = made(several())["runs"][0]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    levels = [(result["ruleId"], result["level"]) for result in run["results"]]
    assert levels == [
        ("INP101", "error"),
        ("SAT101", "error"),
        ("SET103", "warning"),
        ("SAT104", "warning"),
        ("OUT103", "note"),
    ]


def test_consequences_are_beside_their_cause():
    (result,) = results(vanishing())
    related = result["relatedLocations"]
    assert [one["message"]["text"][:6] for one in related] == ["BWD101", "BWD103"]
    assert related[1]["logicalLocations"][0]["name"] == "2.weight"


def located(source, home=HOME):
    (result,) = results(diagnosis([layer("0")], [finding(source=source)]), home)
    return result["locations"][0].get("physicalLocation")


def test_a_finding_is_at_the_users_class():
    place = located(Source(str(ROOT / "src" / "net.py"), 7))
    assert place == {
        "artifactLocation": {"uri": "src/net.py", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 7},
    }


def test_a_class_of_pytorch_is_nobodys_file():
    place = located(Source(torch.nn.modules.linear.__file__, 53))
    assert place["artifactLocation"]["uri"] == "my%20models/net.py"
    assert place["region"]["startLine"] == 12
    assert located(Source(torch.nn.modules.linear.__file__, 53), None) is None


def test_files_outside_of_the_repository_are_absolute():
    assert located(Source("/elsewhere/a b.py", 3))["artifactLocation"] == {
        "uri": "file:///elsewhere/a%20b.py"
    }


def test_layers_are_logical_locations():
    names = [result["locations"][0]["logicalLocations"][0] for result in results(several())]
    assert names[1] == {"name": "act", "fullyQualifiedName": "Net.act", "kind": "module"}
    assert names[2] == {"name": "gate.weight", "fullyQualifiedName": "Net.gate.weight"}


def test_fingerprints_do_not_depend_on_numbers():
    one, other = (
        results(diagnosis([layer("0")], [finding(message=text)]))[0]["partialFingerprints"] for text in "ab"
    )
    elsewhere = results(diagnosis([layer("0")], [finding(where="1")]))[0]["partialFingerprints"]
    assert one == other != elsewhere


def test_texts_are_whole():
    (result,) = results(evil())
    assert EVIL in result["message"]["text"]
