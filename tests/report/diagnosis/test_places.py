"""Findings find their layers."""

import pytest

from diagnoses import blocks, diagnosis, finding, layer, several
from fanin.report.diagnosis.places import place_of, places, touched

LAYERS = [
    layer("embed", kind="other"),
    layer("h.0", kind="attention"),
    layer("h.0.up"),
    layer("h.0", kind="other"),
    layer("h.0.up#2"),
]


@pytest.mark.parametrize(
    ("code", "where", "place"),
    [
        ("FWD101", "h.0.up", 2),
        ("FWD101", "h.0.up.weight", 2),
        ("FWD101", "h.0.up#2", 4),
        ("SET103", "h.0.down.weight", 1),
        ("SAT104", "h.0", 1),
        ("RES101", "h.0", 3),
        ("NUM101", "embed", 0),
        ("INP101", "input 0", None),
        ("INP105", "targets", None),
        ("SET102", "weight", None),
        ("FWD101", "", None),
    ],
)
def test_places(code, where, place):
    record = diagnosis(LAYERS, [finding(code, where=where)]).to_dict()
    assert place_of(record["findings"][0], record["layers"]) == place
    assert list(places(record)) == ([] if place is None else [place])


def test_what_a_finding_is_about():
    told = finding(
        "SAT104", "focused-attention", "warning", "h.0", evidence={"layers": {"h.0": 0.1, "h.1": 0.2}}
    )
    chain = finding("FWD101", where="embed", evidence={"layers": ["h.0.up"]})
    record = diagnosis(LAYERS, [told, chain]).to_dict()
    assert touched(record) == {0: "error", 2: "error", 1: "warning"}
    assert touched(record, but="FWD") == {1: "warning"}


def test_the_gravest_counts():
    record = several().to_dict()
    assert touched(record) == {1: "error", 2: "warning", 4: "warning", 6: "info"}
    assert touched(blocks().to_dict()) == {}
