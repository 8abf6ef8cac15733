"""Gates of recurrent layers are those of a loop that is written out."""

import pytest
import torch
from torch import nn

import fanin
from fanin.frameworks.torch.checking.gates import saturated


def by_hand(layer, x, number, sigmoids):
    """Return the share of saturated gates of a batch-first layer, without biases."""
    states, _ = layer(x)
    h, shares = torch.zeros(len(x), layer.hidden_size), []
    for step in range(x.shape[1]):
        parts = (x[:, step] @ layer.weight_ih_l0.T + h @ layer.weight_hh_l0.T).chunk(number, -1)
        values = torch.sigmoid(torch.stack([parts[n] for n in sigmoids]))
        shares.append(((values < 0.03) | (values > 0.97)).float().mean())
        h = states[:, step]
    return torch.stack(shares).mean().item()


@pytest.mark.parametrize(
    ("kind", "number", "sigmoids"), [(nn.LSTM, 4, (0, 1, 3)), (nn.GRU, 3, (0, 1))], ids=["LSTM", "GRU"]
)
@pytest.mark.parametrize("sd", [0.1, 1.0])
def test_gates_of_a_layer(kind, number, sigmoids, sd):
    torch.manual_seed(0)
    layer, x = kind(6, 16, batch_first=True), torch.randn(8, 7, 6)
    for weight in (layer.weight_ih_l0, layer.weight_hh_l0):
        nn.init.normal_(weight, 0, sd)
    found = saturated(layer, (x,), layer(x)[0])
    assert found == pytest.approx(by_hand(layer, x, number, sigmoids), abs=1e-6)
    turned = kind(6, 16)
    turned.load_state_dict(layer.state_dict())
    steps_first = x.transpose(0, 1)
    assert saturated(turned, (steps_first,), turned(steps_first)[0]) == pytest.approx(found, abs=1e-6)


def test_gates_of_a_cell():
    torch.manual_seed(0)
    cell, x, h, c = nn.LSTMCell(6, 16), torch.randn(8, 6), torch.randn(8, 16), torch.randn(8, 16)
    nn.init.normal_(cell.weight_hh, 0, 2.0)
    parts = torch.sigmoid((x @ cell.weight_ih.T + h @ cell.weight_hh.T).unflatten(1, (4, 16)))[:, (0, 1, 3)]
    share = ((parts < 0.03) | (parts > 0.97)).float().mean().item()
    assert saturated(cell, (x, (h, c)), cell(x, (h, c))[0]) == pytest.approx(share, abs=1e-6)
    assert saturated(cell, (x,), cell(x)[0]) == 0


def test_gates_are_seen_as_part_of_their_layer():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(6, 16, batch_first=True), nn.Linear(16, 4)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    model, x = Reader(), torch.randn(8, 7, 6)
    nn.init.normal_(model.lstm.weight_ih_l0, 0, 20.0)
    found = fanin.diagnose(model, x, torch.arange(8) % 4, loss="cross_entropy")
    assert [(one.name, one.kind, one.function) for one in found.vitals.layers] == [
        ("lstm", "recurrent", "gates"),
        ("head", "weights", ""),
    ]
    assert [(one.code, one.where) for one in found.at_least("error")] == [("SAT101", "lstm")]


def test_what_is_not_known():
    x = torch.randn(8, 7, 6)
    for layer in (
        nn.RNN(6, 16),
        nn.LSTM(6, 16, 2),
        nn.LSTM(6, 16, bidirectional=True),
        nn.LSTM(6, 16, proj_size=4),
    ):
        assert saturated(layer, (x,), layer(x)[0]) is None
