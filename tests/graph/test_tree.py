"""Graphs as text, as they stand in tests/golden/graph; FANIN_GOLDEN=write makes them anew."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from fanin.graph.signal import Node, SignalGraph
from fanin.graph.tree import text
from signal_graphs import FLAT, GRAPHS, node, transformer

GOLDEN = Path(__file__).parents[1] / "golden" / "graph"


@pytest.mark.parametrize("name", GRAPHS)
def test_it_prints_as_it_did(name):
    printed, path = f"{GRAPHS[name]}\n", GOLDEN / f"{name}.txt"
    if os.environ.get("FANIN_GOLDEN") == "write":
        path.write_text(printed, encoding="utf-8")
    assert printed == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_too_long(name, width):
    assert max(map(len, text(GRAPHS[name], width).splitlines())) <= width


def test_many_blocks_are_as_long_as_two():
    assert len(str(transformer(50)).splitlines()) == len(str(transformer(2)).splitlines())
    assert "h.0 .. h.49 (50 × Block)" in str(transformer(50))


def test_blocks_that_differ_are_told_apart():
    graph = transformer(4)
    wider = [
        replace(n, attributes={**n.attributes, "heads": 9}) if n.name == "attend_2" else n for n in graph
    ]
    printed = str(replace(graph, nodes=tuple(wider)))
    for line in ("h.0 .. h.1 (2 × Block)", "h.2 (Block)", "h.3 (Block)"):
        assert line in printed.splitlines()


def test_a_module_that_is_called_again_stands_again():
    nodes = (
        node("x", "input", (), (2, 3)),
        node("a", "softmax", ("x",), (2, 3), layer="f", module="F"),
        node("b", "softmax", ("a",), (2, 3), layer="g", module="G"),
        node("c", "softmax", ("b",), (2, 3), layer="f", module="F"),
    )
    lines = str(SignalGraph(nodes)).splitlines()
    assert [line.split(":")[0] for line in lines[2:]] == ["f (F)", "g (G)", "f (F)"]


def test_a_long_name_is_cut_and_its_shape_is_not():
    graph = SignalGraph((Node("x" * 200, "input", shape=(2, 5, 8), roles=FLAT),))
    line = str(graph).splitlines()[1]
    assert len(line) == 80
    assert line.endswith("  batch 2, pos 5, ch 8")
    assert "…" in line


def test_names_and_notes_cannot_spoil_the_page():
    graph = SignalGraph((Node("x\x1b[31m\n", "input"),), notes=("word " * 40,))
    lines = str(graph).splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in str(graph)


def test_nothing_at_all():
    assert str(SignalGraph(())) == "graph: 0 operations, no weights"
