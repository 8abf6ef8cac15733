import keras
import pytest

from fanin.frameworks.keras.graph import Graph
from fanin.frameworks.keras.residual import _repeats, blocks, branches

layers = keras.layers


def dense(x, count=2):
    for _ in range(count):
        x = layers.Dense(4, activation="relu")(x)
    return x


def graph(make):
    inputs = keras.Input((4,))
    return Graph(keras.Model(inputs, make(inputs)))


def test_a_branch_ends_in_its_last_layer_and_leaves_the_stream_at_its_fork():
    (branch,) = branches(graph(lambda x: x + layers.Dropout(0.1)(layers.LayerNormalization()(dense(x)))))
    assert [type(value.operation).__name__ for value in branch.inside] == [
        "Dense",
        "Dense",
        "LayerNormalization",
        "Dropout",
    ]
    assert branch.last is branch.inside[1]
    assert branch.norm is branch.inside[2]
    assert (branch.shortcut, branch.depth) == ((), 2)


@pytest.mark.parametrize("turned", [False, True])
def test_a_projection_beside_a_branch_is_its_shortcut(turned):
    def make(x):
        sides = [layers.Dense(4)(x), dense(x, 3)]
        return layers.Add()(sides[::-1] if turned else sides)

    (branch,) = branches(graph(make))
    assert branch.depth == 3
    assert len(branch.shortcut) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda x: layers.Add()([dense(x), dense(x)]),  # two ways of one length
        lambda x: x + x,
        lambda x: dense(x) + 1.0,
        lambda x: x + layers.LSTM(4)(layers.Reshape((4, 1))(x)),  # whose last kernel is not known
    ],
)
def test_other_sums_have_no_branches(make):
    assert branches(graph(make)) == []


def test_branches_inside_of_a_branch_are_the_blocks():
    def make(x):
        inner = dense(x, 1)
        for _ in range(3):
            inner = inner + dense(inner)
        return x + dense(inner, 1)

    found = branches(graph(make))
    assert len(found) == 4
    assert [(place, count) for _, place, count in blocks(found)] == [(0, 3), (1, 3), (2, 3)]


def test_attention_is_two_layers_deep():
    inputs = keras.Input((3, 4))
    (branch,) = branches(Graph(keras.Model(inputs, inputs + layers.MultiHeadAttention(2, 2)(inputs, inputs))))
    assert branch.depth == 2


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("A", (1, 1)),
        ("AB", (1, 1)),
        ("AAA", (1, 3)),
        ("AMAMAM", (2, 3)),
        ("AMAMAAMAAM", (2, 2)),  # an encoder, then a decoder
        ("AAMAAM", (3, 2)),
        ("AAAAB", (1, 4)),
    ],
)
def test_repeats_are_the_units_that_cover_most(kinds, expected):
    assert _repeats(list(kinds)) == expected
