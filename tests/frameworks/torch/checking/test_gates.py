"""Gates of recurrent layers are those of a loop that is written out."""

import pytest
import torch
from torch import nn

import fanin
from fanin.frameworks.torch.checking.gates import saturated
from fanin.frameworks.torch.checking.watch import Watch


def watched(layer, *args):
    """Return what is seen of each layer of a recurrent module."""
    with Watch(layer) as watch:
        layer(*args)
    return [one.saturated for one in watch.layers]


def by_hand(x, states, weights, number, sigmoids, begin=None):
    """Return the share of saturated gates of a batch-first layer, without biases."""
    h, shares = torch.zeros(len(x), states.shape[-1]) if begin is None else begin, []
    for step in range(x.shape[1]):
        parts = (x[:, step] @ weights[0].T + h @ weights[1].T).chunk(number, -1)
        values = torch.sigmoid(torch.stack([parts[n] for n in sigmoids]))
        shares.append(((values < 0.03) | (values > 0.97)).float().mean())
        h = states[:, step]
    return torch.stack(shares).mean().item()


KINDS = [(nn.LSTM, 4, (0, 1, 3)), (nn.GRU, 3, (0, 1))]


def drawn(kind, *args, sd=1.0, **kwargs):
    torch.manual_seed(0)
    layer = kind(*args, **kwargs)
    for name, weight in layer.named_parameters():
        if name.startswith("weight"):
            nn.init.normal_(weight, 0, sd)
    return layer


@pytest.mark.parametrize(("kind", "number", "sigmoids"), KINDS, ids=["LSTM", "GRU"])
@pytest.mark.parametrize("sd", [0.1, 1.0])
def test_gates_of_a_layer(kind, number, sigmoids, sd):
    layer, x = drawn(kind, 6, 16, batch_first=True, sd=sd), torch.randn(8, 7, 6)
    expected = by_hand(x, layer(x)[0], (layer.weight_ih_l0, layer.weight_hh_l0), number, sigmoids)
    assert watched(layer, x) == [pytest.approx(expected, abs=1e-6)]
    turned = kind(6, 16)
    turned.load_state_dict(layer.state_dict())
    assert watched(turned, x.transpose(0, 1)) == [pytest.approx(expected, abs=1e-6)]


@pytest.mark.parametrize(("kind", "number", "sigmoids"), KINDS, ids=["LSTM", "GRU"])
@pytest.mark.parametrize("packed", [False, True])
def test_gates_of_a_stack_of_two_directions(kind, number, sigmoids, packed):
    layer, x = drawn(kind, 6, 16, 2, batch_first=True, bidirectional=True), torch.randn(8, 7, 6)
    below = kind(6, 16, batch_first=True, bidirectional=True)
    below.load_state_dict({name: one for name, one in layer.state_dict().items() if "l0" in name})
    reads, expected = (x, below(x)[0]), []
    for number_of_layer, (read, states) in enumerate(zip(reads, (reads[1], layer(x)[0]), strict=True)):
        ways = states.chunk(2, -1)
        weights = [
            [getattr(layer, f"weight_{one}_l{number_of_layer}{way}") for one in ("ih", "hh")]
            for way in ("", "_reverse")
        ]
        there = by_hand(read, ways[0], weights[0], number, sigmoids)
        back = by_hand(read.flip(1), ways[1].flip(1), weights[1], number, sigmoids)
        expected.append(pytest.approx((there + back) / 2, abs=1e-6))
    given = nn.utils.rnn.pack_padded_sequence(x, torch.full((8,), 7), batch_first=True) if packed else x
    assert watched(layer, given) == expected


def test_gates_of_packed_sequences_of_several_lengths():
    """Those of the sequences one by one, weighted by their lengths."""
    layer, x = drawn(nn.GRU, 6, 16, bidirectional=True), torch.randn(7, 3, 6)
    lengths = torch.tensor([7, 4, 2])
    (found,) = watched(layer, nn.utils.rnn.pack_padded_sequence(x, lengths))
    alone = [watched(layer, x[:length, n : n + 1])[0] for n, length in enumerate(lengths)]
    assert found == pytest.approx((torch.tensor(alone) * lengths).sum().item() / 13, abs=1e-6)


def test_states_that_are_given():
    layer, x = drawn(nn.GRU, 6, 16, batch_first=True), torch.randn(8, 1, 6)
    h = 5 * torch.randn(1, 8, 16)
    weights = layer.weight_ih_l0, layer.weight_hh_l0
    expected = by_hand(x, layer(x, h)[0], weights, 3, (0, 1), h[0])
    assert watched(layer, x, h) == [pytest.approx(expected, abs=1e-6)]


def test_gates_of_a_cell():
    torch.manual_seed(0)
    cell, x, h, c = nn.LSTMCell(6, 16), torch.randn(8, 6), torch.randn(8, 16), torch.randn(8, 16)
    nn.init.normal_(cell.weight_hh, 0, 2.0)
    parts = torch.sigmoid((x @ cell.weight_ih.T + h @ cell.weight_hh.T).unflatten(1, (4, 16)))[:, (0, 1, 3)]
    share = ((parts < 0.03) | (parts > 0.97)).float().mean().item()
    assert watched(cell, x, (h, c)) == [pytest.approx(share, abs=1e-6)]
    assert watched(cell, x) == [0]


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


def test_a_plain_recurrence_has_none():
    assert saturated("RNN", torch.ones(2, 3), torch.ones(2, 3), torch.ones(3, 3), torch.ones(3, 3)) is None
