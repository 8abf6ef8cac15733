"""Graphs in Graphviz' language: read by Graphviz where it is installed, by a small reader anywhere."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fanin.graph.words import LAYOUT
from signal_graphs import GRAPHS

GOLDEN = Path(__file__).parents[1] / "golden" / "graph"
NAME = r'"((?:[^"\\]|\\.)*)"'


def unquoted(text):
    return re.sub(r"\\(.)", r"\1", text)


def edges(dot):
    return {tuple(map(unquoted, found)) for found in re.findall(rf"{NAME} -> {NAME};", dot)}


def boxes(dot):
    return [unquoted(found) for found in re.findall(rf"^ *{NAME} \[label=", dot, re.MULTILINE)]


@pytest.mark.parametrize("name", GRAPHS)
def test_it_is_drawn_as_it_was(name):
    drawn, path = GRAPHS[name].to_dot(), GOLDEN / f"{name}.dot"
    if os.environ.get("FANIN_GOLDEN") == "write":
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GRAPHS)
def test_every_operation_is_a_box_and_frames_are_closed(name):
    graph, dot = GRAPHS[name], GRAPHS[name].to_dot()
    shown = [node.name for node in graph if node.op not in LAYOUT]
    assert [box for box in boxes(dot) if "/" not in box] == sorted(shown, key=boxes(dot).index)
    assert re.sub(NAME, "", dot).count("{") == re.sub(NAME, "", dot).count("}")


def test_edges_go_through_what_only_moves_values():
    found = edges(GRAPHS["transformer"].to_dot())
    assert ("norm_0", "attend_0") in found
    assert ("attend_0", "proj_0") in found
    assert {source for source, target in found if target == "sum_1"} == {"sum_0", "proj_1"}


def test_weights_are_drawn_when_asked_for():
    assert "wte.weight" not in boxes(GRAPHS["transformer"].to_dot())
    drawn = GRAPHS["transformer"].to_dot(weights=True)
    assert {("wte.weight", "embedded"), ("wte.weight", "logits"), ("mask", "attend_2")} <= edges(drawn)


def test_a_step_of_a_scan_has_a_frame_of_its_own():
    dot = GRAPHS["recurrence"].to_dot()
    assert 'label="a step of run"' in dot
    assert ("run/h", "run/sum") in edges(dot)


@pytest.mark.parametrize("name", GRAPHS)
def test_graphviz_reads_it(name):
    program = shutil.which("dot")
    if program is None:
        pytest.skip("Graphviz is not installed")
    for weights in (False, True):
        text = GRAPHS[name].to_dot(weights=weights)
        done = subprocess.run([program, "-Tsvg"], input=text, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert done.stdout.count('class="node"') == len(boxes(text))
