import random
from collections import OrderedDict, deque

import numpy as np
import pytest
import torch
from torch import nn

from fanin.frameworks.torch.holding import held
from integrations.states import contents, random_state


class Busy(nn.Module):
    """A module whose calls write into everything that it has."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(3, 3), nn.BatchNorm1d(3)
        self.register_buffer("mean", torch.zeros(3))
        self.calls, self.outputs, self.total = 0, [], torch.zeros(3)
        self.nested = {"a": [torch.ones(2), {1, 2}], "b": (torch.ones(2), 3)}
        self.queue, self.order = deque([1, 2], maxlen=2), OrderedDict(x=1, y=2)
        self.itself = [1]
        self.itself.append(self.itself)

    def forward(self, x):
        y = self.norm(self.layer(x)) + torch.randn(3) + random.random() + np.random.rand()  # noqa: NPY002
        self.mean = self.mean + y.detach().mean(0)  # another tensor
        self.calls += 1
        self.outputs.append(y.detach())
        self.total += 1  # the same tensor
        self.nested["a"][0].zero_()
        self.nested["a"][1].add(3)
        self.nested["b"][0].mul_(2)
        self.nested["c"] = 1
        self.queue.append(3)
        self.order.move_to_end("x")
        self.itself[0] = 2
        self.new = 1
        with torch.no_grad():
            self.layer.weight.mul_(0.5)
        self.layer.bias.data = self.layer.bias.data + 1
        y.sum().backward()
        return y


def state_of(module):
    values = {name: contents(value) for name, value in vars(module).items() if name != "itself"}
    gradients = [None if p.grad is None else p.grad.tolist() for p in module.parameters()]
    return (
        values,
        contents(module.state_dict()),
        gradients,
        module.itself[0],
        module.itself[1] is module.itself,
    )


def test_all_that_a_call_writes_is_put_back():
    module = Busy()
    tensors = {id(one) for one in (*module.parameters(), *module.buffers(), module.total)}
    containers = {id(one) for one in (module.outputs, module.nested, module.queue, module.order)}
    before = str(state_of(module)), random_state()
    with held(module):
        module(torch.randn(4, 3))
        assert str(state_of(module)) != before[0]
        assert random_state() != before[1]
    assert (str(state_of(module)), random_state()) == before
    assert {id(one) for one in (*module.parameters(), *module.buffers(), module.total)} == tensors
    assert {id(one) for one in (module.outputs, module.nested, module.queue, module.order)} == containers


def test_it_is_put_back_after_an_error():
    module = Busy()
    before = str(state_of(module)), random_state()

    def fails():
        with held(module):
            module(torch.randn(4, 3))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert (str(state_of(module)), random_state()) == before


def test_hooks_can_be_removed_afterwards():
    layer, calls = nn.Linear(2, 2), []
    handle = layer.register_forward_hook(lambda *_: calls.append(1))
    with held(layer):
        layer.register_forward_hook(lambda *_: calls.append(2))
    layer(torch.zeros(1, 2))
    handle.remove()
    layer(torch.zeros(1, 2))
    assert calls == [1]


def test_modules_without_values_pass():
    with held(nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 3, device="meta"))):
        pass
