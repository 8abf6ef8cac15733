"""What depends neither on inputs nor on parameters is known, and causal masks are told."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as f

from fanin.frameworks.torch.graph import signal_graph
from fanin.frameworks.torch.graph.constants import LARGEST, is_causal, is_open
from frameworks.torch.graph.interpret import interpret
from frameworks.torch.graph.models import GPT, Llama

IDS = torch.zeros(2, 6, dtype=torch.long)


def test_the_angles_of_rotations_are_known():
    graph = signal_graph(Llama(), (IDS,))
    constants = [node for node in graph if node.op == "constant"]
    assert all("value" in node.attributes for node in constants)
    assert max(max(map(abs, node["value"][1])) for node in constants) == pytest.approx(1.0)
    assert not {"arange", "cos", "sin", "outer"} & {node.get("function") for node in graph}


def test_a_mask_in_a_buffer_is_causal():
    graph = signal_graph(GPT(), (IDS,))
    (masked,) = [node for node in graph if node.get("function") == "where"]
    mask = graph[masked.inputs[0]]
    assert mask.op == "constant"
    assert mask.dtype == "bool"
    seen = torch.tensor(mask["value"])
    assert bool((seen.squeeze() == ~torch.ones(6, 6).tril().bool()).all())


MASKS = {
    "boolean": lambda n: torch.ones(n, n).tril().bool(),
    "added": lambda n: torch.full((n, n), -math.inf).triu(1),
    "least": lambda n: torch.triu(torch.full((1, 1, n, n), torch.finfo(torch.float32).min), 1),
}


@pytest.mark.parametrize("name", MASKS)
def test_attention_with_a_causal_mask_is_causal(name):
    class Attending(nn.Module):
        def forward(self, x):
            return f.scaled_dot_product_attention(x, x, x, attn_mask=MASKS[name](x.shape[-2]))

    (node,) = [n for n in signal_graph(Attending(), (torch.zeros(2, 3, 5, 4),)) if n.op == "attention"]
    assert node["causal"]
    assert len(node.inputs) == 3


def test_attention_that_sees_a_few_positions_before():
    """As Mistral's does: in a window that slides along."""
    seen = torch.ones(6, 6).tril().triu(-2).bool()

    class Attending(nn.Module):
        def forward(self, x):
            return f.scaled_dot_product_attention(x, x, x, attn_mask=seen)

    model, x = Attending(), torch.randn(2, 3, 6, 4)
    graph = signal_graph(model, (x,))
    (node,) = [n for n in graph if n.op == "attention"]
    assert (node["causal"], node["window"], len(node.inputs)) == (True, 3, 3)
    torch.testing.assert_close(interpret(graph, model, (x,))[0], model(x))


def test_a_mask_added_to_scores_says_that_it_is_causal():
    class Attending(nn.Module):
        def forward(self, x):
            return (x @ x.mT + MASKS["added"](x.shape[-2])).softmax(-1) @ x

    (mask,) = [n for n in signal_graph(Attending(), (torch.zeros(2, 5, 4),)) if n.op == "constant"]
    assert mask["mask"] == "causal"


def test_other_masks_are_not_causal():
    assert not is_causal(torch.ones(4, 4).tril(1).bool())
    assert not is_causal(torch.zeros(4, 4))
    assert not is_causal(torch.eye(4))
    assert not is_causal(-torch.ones(4, 4).triu(1))
    assert is_open(torch.ones(4, 4).bool())
    assert not is_open(torch.ones(4, 4))


def test_a_buffer_is_a_weight_to_a_layer_and_known_to_what_else_reads_it():
    class Buffered(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("fixed", torch.randn(3, 3))
            self.register_buffer("mask", torch.ones(3, 3).tril().bool())

        def forward(self, x):
            return f.linear(x, self.fixed).masked_fill(self.mask, 0.0) + self.fixed

    graph = signal_graph(Buffered(), (torch.zeros(3, 3),))
    assert [node["weight"] for node in graph if node.op == "parameter"] == ["fixed"]
    assert not graph.weight["fixed"].trainable
    assert ["causal" in node.attributes.values() for node in graph if node.op == "constant"] == [True, False]


def test_large_ones_are_moments():
    class Added(nn.Module):
        def forward(self, x):
            return x + torch.arange(LARGEST + 1)

    (node,) = [n for n in signal_graph(Added(), (torch.zeros(LARGEST + 1),)) if n.op == "constant"]
    assert "value" not in node.attributes
    assert node["mean"] == pytest.approx(LARGEST / 2)
    assert node["second_moment"] == pytest.approx(LARGEST * (2 * LARGEST + 1) / 6)


def test_the_same_values_are_one_node():
    class Twice(nn.Module):
        def forward(self, x):
            table = torch.arange(3.0).cos()
            return x * table[None] + (x + table.unsqueeze(0))

    assert [node.op for node in signal_graph(Twice(), (torch.zeros(2, 3),))].count("constant") == 1


def test_a_large_constant_of_few_parts_is_held():
    """As a mask for the windows of an image, of which most are the same."""
    mask = torch.zeros(1, 64, 1, 40, 40)
    mask[:, 60:, :, :20, 20:] = -100.0

    class Masked(nn.Module):
        def forward(self, x):
            return x + mask

    model, x = Masked(), torch.randn(2, 64, 2, 40, 40)
    graph = signal_graph(model, (x,))
    held = [node.shape for node in graph if node.op == "constant"]
    assert sorted(held) == [(2, 1600), (64,)]
    torch.testing.assert_close(interpret(graph, model, (x,))[0], model(x))
