"""Where operations stand: modules, their types, lines of the user's code."""

import inspect

import torch
from torch import nn

from fanin.frameworks.torch.graph import signal_graph
from frameworks.torch.graph import models

IDS = torch.zeros(2, 6, dtype=torch.long)


def test_nodes_know_their_module_and_the_users_line():
    graph = signal_graph(models.Llama(depth=1), (IDS,))
    lines, start = inspect.getsourcelines(models.LlamaLayer)
    place = next(i for i, line in enumerate(lines) if "self.down(" in line)
    (node,) = [graph[name] for path, name in graph.layers.items() if path == "layers.0.down"]
    assert node.source.layer == "layers.0.down"
    assert node.source.type == "Linear"
    assert node.source.file == models.__file__
    assert node.source.line == start + place


def test_pytorchs_own_layers_have_no_file():
    graph = signal_graph(nn.Sequential(nn.Linear(2, 2)), (torch.zeros(1, 2),))
    assert graph.nodes[-1].source.file == ""
    assert str(graph.nodes[-1].source) == "0"


def test_layers_are_named_in_the_order_of_their_ends():
    graph = signal_graph(nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Tanh()), (_zeros(),))
    assert list(graph.layers) == ["0.0", "0.1", "0", "1"]
    assert graph.layers["0"] == graph.layers["0.1"]


def test_each_call_of_a_shared_layer_has_its_entry():
    layer = nn.Linear(2, 2)
    graph = signal_graph(nn.Sequential(layer, nn.ReLU(), layer), (_zeros(),))
    assert len([node for node in graph if node.op == "linear"]) == 2
    assert len([node for node in graph if node.op == "parameter"]) == 2
    assert list(graph.layers) == ["0", "1", "0#2"]


def test_a_layer_that_changes_nothing_ends_where_it_begins():
    model = nn.Sequential(nn.Linear(2, 2), nn.Flatten(), nn.Tanh())
    graph = signal_graph(model, (_zeros(),))
    assert graph.layers["1"] == graph.layers["0"]


def test_inputs_have_the_names_of_the_code():
    graph = signal_graph(models.Attention(), (torch.zeros(2, 3, 16), torch.zeros(2, 4, 16)))
    assert [node.name for node in graph if node.op == "input"] == ["x", "memory"]


def test_inputs_may_be_named():
    graph = signal_graph(models.Attention(), {"memory": torch.zeros(2, 4, 16), "x": torch.zeros(2, 3, 16)})
    assert {node.name: node.shape for node in graph if node.op == "input"} == {
        "memory": (2, 4, 16),
        "x": (2, 3, 16),
    }
    assert graph[graph.outputs[0]].shape == (2, 3, 16)


def _zeros():
    return torch.zeros(1, 2)
