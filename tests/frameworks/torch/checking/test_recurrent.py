"""Recurrent layers, whole and cell by cell."""

import pytest
import torch
from torch import nn

import fanin


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_identical_units_of_recurrent_layers(cell):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = getattr(nn, cell)(8, 16), nn.Linear(16, 4)

        def forward(self, x):
            if not cell.endswith("Cell"):
                return self.head(self.cell(x)[0][-1])
            state = None
            for step in x.unbind(0):
                state = self.cell(step, state)
            return self.head(state[0] if isinstance(state, tuple) else state)

    x, y = torch.randn(6, 16, 8), torch.arange(16) % 4
    torch.manual_seed(0)
    model = Reader()
    assert fanin.diagnose(model, x, y, loss="cross_entropy", select=["SYM"]).ok
    for weight in model.cell.parameters():
        nn.init.constant_(weight, 0.1)
    # Another gradient for each unit, from a head at random, parts them: a warning.
    (found,) = fanin.diagnose(model, x, y, loss="cross_entropy", select=["SYM"]).findings
    assert (found.code, found.severity, found.where.partition("#")[0]) == ("SYM103", "warning", "cell")
    nn.init.constant_(model.head.weight, 0.1)
    (found,) = fanin.diagnose(model, x, y, loss="cross_entropy", select=["SYM"]).findings
    assert (found.code, found.where.partition("#")[0]) == ("SYM101", "cell")
