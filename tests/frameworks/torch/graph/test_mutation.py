"""What is written in place is read by everything that shares its memory."""

import pytest
import torch
from torch import nn
from torch.nn import functional as f

from fanin.frameworks.torch.graph import signal_graph
from frameworks.torch.graph.interpret import interpret


def _whole(x):
    y = x * 2
    y.add_(1).mul_(x)
    f.relu_(y)
    return y


def _through_a_slice(x):
    y = x * 2
    y[:, 1] = x[:, 0]
    y[0, 1:3] += 1
    return y


def _seen_by_a_view(x):
    y = x * 2
    view = y.view(-1)
    y[1] = 0.0
    return view + y.T.reshape(-1)


def _into_a_view(x):
    y = x * 2
    y.view(2, 6)[0].mul_(3)
    y.T[1].fill_(7)
    y.permute(1, 0)[2].copy_(x[:, 0])
    return y


def _into_a_part(x):
    y = x * 2
    first, second = y.chunk(2, 1)
    second.add_(first)
    a, *_ = y.unbind(0)
    a.zero_()
    return y + torch.cat((first, second), 1)


def _into_known_values(x):
    shifted = torch.zeros(3, 4)
    shifted[:, 1:] = x[:, :-1]
    return shifted


def _known(x):
    mask = torch.zeros(3, 4)
    mask[1:, :2] = 1
    mask[0].fill_(2)
    return x * mask


def _of_a_view(x):
    y = x.clone()
    row = y[1]
    column = row[2:]
    column.mul_(10)
    return torch.cat((y.flatten(), row, column))


@pytest.mark.parametrize(
    "function",
    [
        _whole,
        _through_a_slice,
        _seen_by_a_view,
        _into_a_view,
        _into_a_part,
        _into_known_values,
        _known,
        _of_a_view,
    ],
)
def test_writes(function):
    class Writing(nn.Module):
        def forward(self, x):
            return function(x)

    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    (found,) = interpret(signal_graph(Writing(), (x,)), Writing(), (x.clone(),))
    torch.testing.assert_close(found, function(x.clone()))


def test_known_values_stay_known():
    class Masked(nn.Module):
        def forward(self, x):
            return _known(x)

    assert [node.op for node in signal_graph(Masked(), (torch.zeros(3, 4),))] == [
        "input",
        "constant",
        "elementwise",
    ]


def test_a_write_that_is_not_followed_is_opaque():
    class Scattered(nn.Module):
        def forward(self, x):
            y = x * 2
            y.diagonal().add_(1)
            return y

    graph = signal_graph(Scattered(), (torch.zeros(3, 3),))
    assert "a write into aten.diagonal" in [node.get("operator") for node in graph]
    assert graph.nodes[-1].name in graph.outputs


def test_buffers_stay_as_they_are():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros(3))

        def forward(self, x):
            self.count.add_(1)
            self.count[0] = 5
            return x * self.count

    model = Counting()
    graph = signal_graph(model, (torch.zeros(2, 3),))
    assert model.count.tolist() == [0, 0, 0]
    (constant,) = [node for node in graph if node.op == "constant"]
    assert constant["value"] == (5.0, 1.0, 1.0)


def test_writes_at_places_that_are_computed():
    class Counted(nn.Module):
        def forward(self, x):
            order = x[:, 0].argsort()
            places = torch.zeros(4, dtype=torch.long)
            places[order] = torch.arange(4)
            return x[places]

    graph = signal_graph(Counted(), (torch.zeros(4, 3),))
    assert "aten.index_put" in [node.get("operator") for node in graph]
