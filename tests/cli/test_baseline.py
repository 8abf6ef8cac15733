"""Known findings come back as they were written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnoses import finding
from fanin.cli import baseline
from fanin.errors import FaninError

WHERE = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(found=st.lists(st.tuples(st.sampled_from(["FWD101", "SAT101"]), WHERE), max_size=6))
def test_there_and_back(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("baseline") / "known.json"
    count = baseline.write(path, [finding(code, where=where) for code, where in found])
    assert baseline.read(path) == frozenset(found)
    assert count == len(set(found))


def test_a_line_a_finding_in_their_order(tmp_path):
    path = tmp_path / "known.json"
    baseline.write(
        path, [finding("SAT101", where="b"), finding("FWD101", where="c"), finding("FWD101", where="a")]
    )
    assert path.read_text() == (
        '{"schema": "fanin.baseline/1", "findings": [\n'
        '  {"code": "FWD101", "where": "a", "name": "vanishing-forward-signal"},\n'
        '  {"code": "FWD101", "where": "c", "name": "vanishing-forward-signal"},\n'
        '  {"code": "SAT101", "where": "b", "name": "vanishing-forward-signal"}\n'
        "]}\n"
    )


def test_none_is_a_baseline_too(tmp_path):
    path = tmp_path / "known.json"
    assert baseline.write(path, []) == 0
    assert baseline.read(path) == frozenset()
    assert json.loads(path.read_text())["findings"] == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{}", '{"schema": "fanin.baseline/2", "findings": []}', '{"schema": "fanin.baseline/1"}',
     '{"schema": "fanin.baseline/1", "findings": [{"code": "FWD101"}]}',
     '{"schema": "fanin.baseline/1", "findings": [3]}'],
)  # fmt: skip
def test_what_is_none(tmp_path, text):
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(FaninError, match=r"known\.json is no baseline"):
        baseline.read(path)


def test_files_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(FaninError, match="cannot be read: No such file"):
        baseline.read(tmp_path / "absent.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(FaninError, match="cannot be read: it is no text"):
        baseline.read(tmp_path / "binary.json")
    with pytest.raises(FaninError, match="cannot be written: Is a directory"):
        baseline.write(tmp_path, [])
