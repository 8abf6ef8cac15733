"""A module whose own code writes down what it does."""

import torch
from torch import nn


class Counting(nn.Module):
    """Counts its calls, and keeps what it returns, in attributes and in a buffer."""

    def __init__(self, inputs=20):
        super().__init__()
        self.layer, self.calls, self.seen, self.last = nn.Linear(inputs, 4), 0, [], None
        self.register_buffer("total", torch.zeros(()))
        self.begun = self.total

    def forward(self, x):
        self.calls += 1
        self.total = self.total + x.sum()
        self.last = self.layer(x)
        self.seen.append(self.last)
        return self.last

    def check_untouched(self):
        """Assert that nothing is as if it had been called."""
        assert (self.calls, self.seen, self.last) == (0, [], None)
        assert self.total is self.begun
        assert self.total.item() == 0
