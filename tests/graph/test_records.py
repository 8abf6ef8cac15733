"""What comes back from JSON is equal to what went in."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin import FaninError
from fanin.graph.records import SCHEMA
from fanin.graph.signal import Law, Node, SignalGraph, Source, Weight
from signal_graphs import GRAPHS

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
ATTRIBUTES = st.dictionaries(
    st.text(max_size=5),
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6),
    max_size=4,
)
LAWS = st.builds(Law, st.floats(-1, 1), st.floats(0, math.inf), st.text(max_size=5), st.booleans())
WEIGHTS = st.builds(
    Weight,
    st.text(max_size=5),
    st.lists(st.integers(0, 9), max_size=3).map(tuple),
    st.none() | LAWS,
    st.lists(LAWS, max_size=2).map(tuple),
    st.integers(0, 2),
    st.text(max_size=5),
    st.booleans(),
    st.lists(st.text(max_size=3), max_size=2).map(tuple),
)


@st.composite
def graphs(draw, depth=1):
    names = draw(st.lists(st.text(max_size=6), max_size=5, unique=True))
    nodes = []
    for i, name in enumerate(names):
        inside = draw(st.none() | graphs(depth - 1)) if depth else None
        nodes.append(
            Node(
                name,
                draw(st.sampled_from(["input", "elementwise", "scan", "opaque"])),
                tuple(draw(st.lists(st.sampled_from(names[:i]), max_size=3))) if i else (),
                tuple(draw(st.lists(st.integers(0, 99), max_size=4))),
                draw(st.sampled_from(["float32", "int64"])),
                draw(ATTRIBUTES),
                tuple(draw(st.lists(st.sampled_from(["batch", "channel", "mixed"]), max_size=3))),
                Source(
                    draw(st.text(max_size=4)),
                    draw(st.text(max_size=4)),
                    draw(st.text(max_size=4)),
                    draw(st.integers(0, 9)),
                ),
                inside,
            )
        )
    layers = {f"layer {i}": name for i, name in enumerate(names)}
    weights = tuple(draw(st.lists(WEIGHTS, max_size=2)))
    return SignalGraph(tuple(nodes), weights, tuple(names[-1:]), layers, draw(st.text(max_size=5)), ("note",))


@pytest.mark.parametrize("name", GRAPHS)
def test_a_round_trip(name):
    graph = GRAPHS[name]
    text = graph.to_json()
    assert SignalGraph.from_json(text) == graph
    assert json.loads(text, parse_constant=pytest.fail)["schema"] == SCHEMA


@settings(max_examples=100, deadline=None)
@given(graph=graphs())
def test_a_round_trip_of_any_graph(graph):
    back = SignalGraph.from_json(graph.to_json())
    assert back == graph
    for one, two in zip(graph, back, strict=True):
        for key, value in one.attributes.items():
            assert type(two[key]) is type(value)  # 1, 1.0 and True are equal, and not the same


def test_a_mask_of_infinities_comes_back():
    mask = SignalGraph.from_json(GRAPHS["transformer"].to_json())["mask"]
    assert mask["value"] == ((0.0, -math.inf), (0.0, 0.0))


def test_what_has_its_default_is_left_out():
    record = SignalGraph((Node("x", "input", shape=(2,)),)).to_dict()
    assert record["nodes"] == [{"name": "x", "op": "input", "shape": [2], "dtype": "float32"}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "no signal graph"),
        ('{"schema": "fanin.signal_graph/99"}', "signal_graph/99"),
        (f'{{"schema": "{SCHEMA}"}}', "cannot be read: KeyError"),
        (f'{{"schema": "{SCHEMA}", "nodes": [3], "weights": [], "outputs": []}}', "cannot be read"),
        (GRAPHS["recurrence"].to_json().replace('"op": "input"', '"op": "magic"'), "unknown op 'magic'"),
        (
            GRAPHS["recurrence"].to_json().replace('"inputs": ["run"]', '"inputs": ["out"]'),
            "does not come before",
        ),
    ],
)
def test_what_is_no_graph(text, words):
    with pytest.raises(FaninError, match=words):
        SignalGraph.from_json(text)


def test_the_page_names_every_field():
    page = (
        (Path(__file__).parents[2] / "docs" / "json.md")
        .read_text(encoding="utf-8")
        .partition("## A signal graph")[2]
    )
    assert f'"{SCHEMA}"' in page
    for kind in (SignalGraph, Node, Weight, Law, Source):
        for part in dataclasses.fields(kind):
            assert f"`{part.name}`" in page


def test_the_graph_of_a_real_model_comes_back():
    from fanin.frameworks.torch.graph import signal_graph

    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    graph = signal_graph(torch.nn.Sequential(layer, torch.nn.LSTM(8, 4)), (torch.zeros(2, 5, 8),))
    assert SignalGraph.from_json(graph.to_json()) == graph
    assert "TransformerEncoderLayer" in str(graph)
