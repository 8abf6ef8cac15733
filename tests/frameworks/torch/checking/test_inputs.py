"""Inputs and outputs as people have them: sparse, packed, mapped, scripted, losses in a mapping."""

import pytest
import torch
from torch import nn
from torch.nn import functional as f

import fanin
from fanin.errors import FaninError

CLASSES = torch.arange(16) % 3


class Neighbours(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 32, bias=False), nn.Linear(32, 3, bias=False)

    def forward(self, x, adjacency):
        return torch.sparse.mm(adjacency, self.last(f.relu(torch.sparse.mm(adjacency, self.first(x)))))


@pytest.mark.parametrize("layout", [torch.Tensor.to_sparse, torch.Tensor.to_sparse_csr])
def test_sparse_inputs(layout):
    torch.manual_seed(0)
    adjacency = layout(torch.eye(16) / 2 + torch.eye(16).roll(1, 0) / 2)
    found = fanin.diagnose(Neighbours(), (torch.randn(16, 8), adjacency), CLASSES, loss="cross_entropy")
    assert not found.findings
    assert found.vitals.inputs[1].values.mean == 0.5


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells, self.head = nn.GRU(8, 32, batch_first=True), nn.Linear(32, 3)

    def forward(self, packed):
        return self.head(self.cells(packed)[1][0])


def test_packed_sequences():
    torch.manual_seed(0)
    lengths = torch.arange(16) % 5 + 1
    packed = nn.utils.rnn.pack_padded_sequence(
        torch.randn(16, 5, 8), lengths, batch_first=True, enforce_sorted=False
    )
    found = fanin.diagnose(Reader(), packed, CLASSES, loss="cross_entropy")
    assert not found.at_least("warning")
    assert found.vitals.inputs[0].values.sd == pytest.approx(1, abs=0.1)


class Detector(nn.Module):
    """As those of torchvision, which return their losses while they train."""

    def __init__(self):
        super().__init__()
        self.body, self.kind, self.box = nn.Conv2d(3, 16, 3), nn.Linear(16, 3), nn.Linear(16, 4)

    def forward(self, images, targets):
        made = f.relu(self.body(torch.stack(images))).mean((2, 3))
        kinds, boxes = (torch.stack([one[name] for one in targets]) for name in ("kind", "box"))
        return {"kind": f.cross_entropy(self.kind(made), kinds), "box": f.l1_loss(self.box(made), boxes)}


@pytest.mark.parametrize("loss", [None, lambda losses: sum(losses.values())])
def test_losses_in_a_mapping(loss):
    torch.manual_seed(0)
    images = [torch.randn(3, 16, 16) for _ in range(4)]
    targets = [{"kind": torch.tensor(n % 3), "box": torch.rand(4)} for n in range(4)]
    found = fanin.diagnose(Detector(), {"images": images, "targets": targets}, loss=loss)
    assert not found.findings
    assert all(one.gradient for one in found.vitals.parameters)


class Derived(nn.Module):
    """A network's second derivatives, one example at a time."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x):
        def value(t):
            return self.net(t[None]).squeeze()

        return torch.func.vmap(torch.func.grad(torch.func.grad(value)))(x)


def test_functions_that_are_mapped():
    torch.manual_seed(0)
    found = fanin.diagnose(Derived(), torch.rand(64), loss=lambda made: (made + 1).square().mean())
    assert not found.at_least("warning")
    assert found.vitals.layers[0].shape[0] == 64


@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, torch.randn(2, 8))])
def test_torchscript_is_refused(make):
    with pytest.raises(FaninError, match="TorchScript"):
        fanin.diagnose(make(nn.Linear(8, 3)), torch.randn(16, 8), CLASSES, loss="cross_entropy")


def test_ids_that_are_described_as_numbers():
    net = nn.Sequential(nn.Embedding(50, 8), nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(FaninError, match="indices") as raised:
        fanin.diagnose(net, inputs=(4, 8))
    assert raised.value.fix == 'inputs="4x8:tokens"'
    assert not fanin.diagnose(net, inputs="4x8:tokens").at_least("warning")
