"""The JSON of a comparison is what docs/json.md and the types of `fanin.report.schema` say."""

import json
import re
import types
import typing
from pathlib import Path

import jsonschema
import pytest

from commands import invoke
from fanin.report.diagnosis.record import SCHEMA as DIAGNOSIS_SCHEMA
from fanin.report.diagnosis.record import (
    CountsRecord,
    DiagnosisRecord,
    FindingRecord,
    FixRecord,
    InputRecord,
    LossRecord,
    ParametersRecord,
    RuleRecord,
    SourceRecord,
    SpreadRecord,
)
from fanin.report.diagnosis.record import LayerRecord as CheckedRecord
from fanin.report.gain.record import SCHEMA as GAIN_SCHEMA
from fanin.report.gain.record import DriftRecord, GainRecord
from fanin.report.phase.record import (
    DIAGRAM_SCHEMA,
    LINE_SCHEMA,
    MEAN_FIELD_SCHEMA,
    CriticalPointRecord,
    CurveRecord,
    DiagramRecord,
    LineRecord,
    MeanFieldRecord,
)
from fanin.report.profile.record import COMPARISON_SCHEMA as BESIDE_SCHEMA
from fanin.report.profile.record import SCHEMA as PROFILE_SCHEMA
from fanin.report.profile.record import (
    AgreementRecord,
    BackwardRecord,
    DifferenceRecord,
    EstimateRecord,
    ForwardRecord,
    LayerRecord,
    ParameterRecord,
    ProfileRecord,
)
from fanin.report.profile.record import ComparisonRecord as BesideRecord
from fanin.report.schema import COMPARISON_SCHEMA, ComparisonRecord, Row

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema_of(kind):
    """Return the JSON Schema of a type; a TypedDict has all of its fields and no others."""
    if kind is typing.Any:
        return {}
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if typing.is_typeddict(kind):
        fields = {name: schema_of(inner) for name, inner in typing.get_type_hints(kind).items()}
        closed = {"additionalProperties": False, "required": list(fields)}
        return {"type": "object", "properties": fields, **closed}
    inner = [schema_of(argument) for argument in typing.get_args(kind)]
    origin = typing.get_origin(kind)
    if origin is list:
        return {"type": "array", "items": inner[0]}
    if origin is dict:
        return {"type": "object", "additionalProperties": inner[1]}
    assert origin in (types.UnionType, typing.Union), kind
    return {"anyOf": inner}


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize(
    "options",
    [
        "--seeds 8 --metric accuracy --target loss=.7",
        "--seeds 2",
        "--schemes he_normal",
        "--schemes 'zeros,normal(stddev=1e30)' --target loss=.1 --epochs 2",  # some runs diverge
    ],
)
def test_real_output_fits_the_types(folder, options):
    result = invoke(f"MINE {options} --json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout, parse_constant=refuse)
    jsonschema.validate(record, schema_of(ComparisonRecord))
    assert record["schema"] == COMPARISON_SCHEMA


@pytest.mark.parametrize(
    "command", ["gain gelu", "gain sign", "gain squared_relu --depth 90", "gain relu --width 0"]
)
def test_gains_output_fits_its_types(command):
    record = json.loads(invoke(f"{command} --json").stdout, parse_constant=refuse)
    jsonschema.validate(record, schema_of(GainRecord))
    assert record["schema"] == GAIN_SCHEMA


def test_the_page_names_the_fields_of_a_gain():
    assert f'"{GAIN_SCHEMA}"' in PAGE
    part = PAGE.partition("## A gain")[2]
    for name in {*GainRecord.__annotations__, *DriftRecord.__annotations__}:
        assert f"`{name}`" in part


@pytest.mark.parametrize(
    ("command", "kind", "schema"),
    [
        ("phase tanh --weight-variance 2 --bias-variance .1", MeanFieldRecord, MEAN_FIELD_SCHEMA),
        ("phase relu --weight-variance 3", MeanFieldRecord, MEAN_FIELD_SCHEMA),
        ("phase gelu", DiagramRecord, DIAGRAM_SCHEMA),
        ("phase sign", DiagramRecord, DIAGRAM_SCHEMA),
    ],
)
def test_phases_output_fits_its_types(command, kind, schema):
    record = json.loads(invoke(f"{command} --json").stdout, parse_constant=refuse)
    jsonschema.validate(record, schema_of(kind))
    assert record["schema"] == schema


def test_the_page_names_the_fields_of_mean_field_theory():
    part = PAGE.partition("## Mean field")[2]
    for schema in (MEAN_FIELD_SCHEMA, LINE_SCHEMA, DIAGRAM_SCHEMA):
        assert f'"{schema}"' in part
    for kind in (MeanFieldRecord, CurveRecord, CriticalPointRecord, LineRecord, DiagramRecord):
        for name in kind.__annotations__:
            assert f"`{name}`" in part


PROFILED = """
from torch import nn
def net(): return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
"""


@pytest.mark.parametrize(
    ("options", "kind", "schema"),
    [("", ProfileRecord, PROFILE_SCHEMA), ("--measure", BesideRecord, BESIDE_SCHEMA)],
)
def test_profiles_output_fits_its_types(folder, options, kind, schema):
    (folder / "profiled.py").write_text(PROFILED)
    done = invoke(f"propagate profiled.py:net --input 4x5 {options} --json")
    record = json.loads(done.stdout, parse_constant=refuse)
    jsonschema.validate(record, schema_of(kind))
    assert record["schema"] == schema


def test_the_page_names_the_fields_of_profiles():
    part = PAGE.partition("## A profile")[2]
    for schema in (PROFILE_SCHEMA, BESIDE_SCHEMA):
        assert f'"{schema}"' in part
    profile = (ProfileRecord, LayerRecord, ForwardRecord, BackwardRecord, ParameterRecord, EstimateRecord)
    for kind in (*profile, BesideRecord, DifferenceRecord, AgreementRecord):
        for name in kind.__annotations__:
            assert f"`{name}`" in part


CHECKED = """
import torch
from torch import nn
def net(): return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
def constant():
    model = net()
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.1)
    return model
def lazy(): return nn.Sequential(nn.LazyLinear(2))
def infinite():
    model = net()
    nn.init.constant_(model[0].weight, torch.inf)
    return model
"""


@pytest.mark.parametrize(
    "command", ["net", "constant --loss cross_entropy", "lazy", "infinite", "net --seeds 2 --loss mse"]
)
def test_diagnoses_fit_their_types(folder, command):
    (folder / "checked.py").write_text(CHECKED)
    done = invoke(f"check checked.py:{command} --input 16x5 --format json")
    record = json.loads(done.stdout, parse_constant=refuse)
    jsonschema.validate(record, schema_of(DiagnosisRecord))
    assert record["schema"] == DIAGNOSIS_SCHEMA


def test_rules_fit_their_type():
    for record in json.loads(invoke("rule --json").stdout):
        jsonschema.validate(record, schema_of(RuleRecord))


def test_the_page_names_the_fields_of_diagnoses():
    part = PAGE.partition("## A diagnosis")[2]
    assert f'"{DIAGNOSIS_SCHEMA}"' in part
    assert documented(part.partition("\nA finding has")[0]) >= set(DiagnosisRecord.__annotations__)
    layers = part.partition("| of a layer |")[2]
    assert documented(layers) == set(CheckedRecord.__annotations__)
    small = (CountsRecord, InputRecord, ParametersRecord, LossRecord, SourceRecord, SpreadRecord)
    for kind in (FindingRecord, FixRecord, RuleRecord, *small):
        for name in typing.get_type_hints(kind):
            assert f"`{name}`" in part, name


def test_a_record_of_another_shape_would_be_noticed(folder):
    record = json.loads(invoke("MINE --json").stdout)
    for change in ({"verdict": 3}, {"surprise": 1}, {"ranking": [{"rank": 1}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(record | change, schema_of(ComparisonRecord))


def test_the_page_names_the_version_and_every_field():
    assert f'"{COMPARISON_SCHEMA}"' in PAGE
    fields, row = PAGE.split("A row of `ranking`:")
    assert documented(fields) == set(ComparisonRecord.__annotations__)
    assert documented(row.partition("\n## ")[0]) == set(Row.__annotations__)


def documented(text):
    """Return the names in the first column of a table."""
    cells = re.findall(r"^\| (`[^|]+) \|", text, flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
