"""A symbolic trace of a module."""

import torch

from counting import Counting
from fanin.frameworks.torch.tracing import traced


def test_a_trace_leaves_no_symbols_behind():
    model = Counting()
    assert traced(model) is not None
    model.check_untouched()
    assert isinstance(model(torch.ones(2, 20)), torch.Tensor)
