"""What a run of a model tells: calls of modules, and shapes."""

import torch
from torch import nn

from fanin.frameworks.torch.graph.rehearsing import Described, forwards_wrapped, is_plain, rehearsed


class Caught(nn.Module):
    def forward(self, x):
        raise ValueError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.caught = nn.Linear(3, 3), Caught()

    def forward(self, x, *, times=1):
        for _ in range(times):
            x = self.layer(x)
        try:
            return self.caught(x)
        except ValueError:
            return {"out": x, "times": times}


X = Described((2, 3), torch.float32)


def test_calls_are_told_with_their_shapes():
    model = Net()
    call = rehearsed(model, (torch.zeros(2, 3),), {"times": 2}, train=False)
    assert (call.module, call.args, call.kwargs) == (model, (X,), {"times": 2})
    assert call.result == {"out": X, "times": 2}
    assert [part.module for part in call.calls] == [model.layer, model.layer, model.caught]
    assert [part.returned for part in call.calls] == [True, True, False]


def test_models_on_the_meta_device_are_made_for_it():
    with torch.device("meta"):
        model = Net()
    call = rehearsed(model, (torch.zeros(2, 3, device="meta"),), {}, train=False)
    assert [part.module for part in call.calls] == [model.layer, model.caught]
    assert all(parameter.is_meta for parameter in model.parameters())


def test_a_model_that_fails_tells_nothing():
    assert rehearsed(Net(), (torch.zeros(2, 4),), {}, train=False) is None


def test_zeros_go_other_ways_than_noise():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(x) if x.any() else x

    call = rehearsed(Branching(), (torch.zeros(2, 3),), {}, train=False)
    assert len(call.calls) == 1


def test_modules_of_torchscript_stay():
    model = nn.Sequential(torch.jit.script(nn.Linear(2, 2)), nn.ReLU())
    with forwards_wrapped(model, lambda module, forward: lambda *args: forward(*args)):
        assert "forward" in vars(model[1])
    assert "forward" not in vars(model[1])


def test_tensors_that_are_hidden_in_objects():
    assert is_plain(({"a": X}, [None, 3]))
    assert not is_plain(torch.zeros(2))
