"""What cannot be traced is named, with where and how to mend it."""

import pytest
import torch
from torch import nn

from fanin.errors import FaninError
from fanin.frameworks.torch.graph import signal_graph

LIBRARY = torch.library.Library("fanin_test", "DEF")
LIBRARY.define("shapeless(Tensor x) -> Tensor")
LIBRARY.impl("shapeless", lambda x: x[:, :2].clone(), "CPU")


class Of(nn.Module):
    """A layer, and a function of what it returns."""

    def __init__(self, function):
        super().__init__()
        self.layer, self.table, self.function = nn.Linear(4, 4), nn.Embedding(3, 2), function

    def forward(self, x):
        return self.function(self, x)


def _branching(self, x):
    return self.layer(x * 2 if x.sum() > 0 else x)


def _looping(self, x):
    while x.norm() > 1:
        x = x / 2
    return x


def _selecting(self, x):
    return self.layer(x[x.sum(1) > 0])


def _listing(self, x):
    return self.layer(torch.from_numpy(x.numpy()))


X = torch.ones(2, 4)
CASES = {
    "a branch": (_branching, X, ["Of does depends on values", "test_errors.py:", "torch.where"]),
    "a loop": (_looping, X, ["depends on values", "test_errors.py:"]),
    "a size": (_selecting, X, ["a tensor whose size depends on values", "test_errors.py:", "mask"]),
    "numpy": (_listing, X, ["leaves PyTorch", "test_errors.py:"]),
    "a shape": (lambda self, x: self.layer(x), torch.ones(2, 5), ["[2, 5] X [4, 4]", "the model takes"]),
    "floats for ids": (lambda self, x: self.table(x), X, ["expected: ids", "dtype=torch.long"]),
    "ids for floats": (lambda self, x: self.layer(x), X.long(), ["int64", "inputs of floats"]),
    "its own mistake": (lambda self, x: x.missing, X, ["AttributeError", "test_errors.py:"]),
    "nothing": (lambda self, x: None, X, ["Of returns no tensor"]),
}


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_traced(name, device, capfd):
    function, inputs, words = CASES[name]
    with torch.device(device):
        model = Of(function)
    with pytest.raises(FaninError) as caught:
        signal_graph(model, (inputs.to(device),))
    for word in words:
        assert word in str(caught.value)
    assert capfd.readouterr() == ("", "")  # nothing but the message


@pytest.mark.parametrize("inputs", [(), {}, None, (3,)])
def test_without_an_input(inputs):
    with pytest.raises(FaninError, match="no example input"):
        signal_graph(nn.Linear(2, 2), inputs)


def test_too_few_inputs():
    with pytest.raises(FaninError, match="'input2'"):
        signal_graph(nn.Bilinear(2, 2, 2), (torch.zeros(3, 2),))


def test_an_operator_without_shapes_is_tried_on_zeros():
    model = Of(lambda self, x: torch.ops.fanin_test.shapeless(self.layer(x)) * 2)
    graph = signal_graph(model, (X,))
    (node,) = [node for node in graph if node.op == "opaque"]
    assert node["operator"] == "fanin_test.shapeless"
    assert node.shape == (2, 2)
    model = Of(lambda self, x: self.layer(torch.ops.fanin_test.shapeless(x) @ torch.ones(2, 4)))
    with pytest.raises(FaninError, match="says nothing of its shapes"):
        signal_graph(model.to("meta"), (X,))


def test_a_function_with_a_gradient_of_its_own_is_opaque():
    class Straight(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sign()

        @staticmethod
        def backward(ctx, g):
            return g

    apply = torch.autograd.Function.__dict__["apply"]
    graph = signal_graph(Of(lambda self, x: Straight.apply(self.layer(x))), (X,))
    assert [node["operator"] for node in graph if node.op == "opaque"] == ["Straight"]
    assert graph[graph.nodes[-1].inputs[0]].op == "linear"
    assert torch.autograd.Function.__dict__["apply"] is apply


def test_a_number_computed_from_values_is_opaque():
    graph = signal_graph(Of(lambda self, x: self.layer(x) * x.max().item()), (X,))
    assert [node["operator"] for node in graph if node.op == "opaque"] == ["aten.item"]
    assert graph.layers["layer"] == "linear"
