"""A symbolic trace of a module."""

import torch
from torch import nn

from fanin.frameworks.torch.tracing import traced


def test_a_trace_leaves_no_symbols_behind():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.calls, self.seen, self.last = nn.Linear(4, 4), 0, [], None
            self.register_buffer("total", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            self.total = self.total + x.sum()
            self.last = self.layer(x)
            self.seen.append(self.last)
            return self.last

    model = Counting()
    total = model.total
    assert traced(model) is not None
    assert (model.calls, model.seen, model.last) == (0, [], None)
    assert model.total is total
    assert isinstance(model(torch.ones(2, 4)), torch.Tensor)
