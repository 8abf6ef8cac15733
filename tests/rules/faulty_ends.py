"""Models whose ends are wrong: the last functions, the loss, the labels, or the batch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as f

from rules.faulty import CE, Case, cars, chain, digits, points


class Then(nn.Module):
    """A model with a function behind it."""

    def __init__(self, model, function):
        super().__init__()
        self.model, self.function = model, function

    def forward(self, x):
        return self.function(self.model(x))


def of(*last):
    return nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10), *last)


def by_hand(outputs, targets):
    return -outputs.log_softmax(1)[torch.arange(len(targets)), targets].mean()


def softmax_twice():
    return of(nn.Softmax(1), nn.LogSoftmax(1)), *digits(), f.nll_loss


def rectified():
    return of(nn.ReLU(), nn.LogSoftmax(1)), *digits(), f.nll_loss


def softmax_in_both():
    return of(nn.Softmax(1)), *digits(), by_hand


def sigmoid_in_both():
    def loss(outputs, targets):
        return f.binary_cross_entropy(torch.sigmoid(outputs), targets)

    return chain(2, 16, 1, last=nn.Sigmoid()), *points(), loss


def clamped():
    x, y = cars()
    return Then(chain(9, 64, 1), lambda outputs: outputs.clamp(0, 1)), x, y, nn.MSELoss()


def softsign():
    x, y = cars()
    return chain(9, 64, 1, last=nn.Softsign()), x, y, nn.MSELoss()


def squares(outputs, targets):
    return (outputs - targets).square().mean()


def all_with_all():
    x, y = cars()
    return chain(9, 64, 1), x, y.flatten(), squares


def ranked():
    """Pairs on purpose: scores against scores, with the signs of targets against targets."""

    def loss(scores, targets):
        signs = (targets[:, None] - targets[None]).sign()
        return f.relu(1 - (scores - scores.flatten()) * signs).mean()

    x, y = cars()
    return chain(9, 64, 1), x, y.flatten(), loss


def from_one():
    x, y = digits()
    return of(), x, y + 1, CE


def too_few():
    x, y = digits()
    return chain(784, 64, 9), x, y, nn.NLLLoss()


def black():
    x, y = digits(flat=False)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 676, 10)), 0 * x, y, CE


def padding():
    model = nn.Sequential(nn.Embedding(50, 16, padding_idx=0), nn.Flatten(), nn.Linear(160, 3))
    return model, torch.zeros(32, 10, dtype=torch.long), torch.arange(32) % 3, CE


def logarithms_in_the_loss():
    def loss(outputs, targets):
        return f.nll_loss(f.log_softmax(outputs, 1), targets)

    return of(), *digits(), loss


def some_left_out():
    x, y = digits()
    return of(), x, torch.where(y == 3, -1, y), nn.CrossEntropyLoss(ignore_index=-1)


def logarithms():
    return of(nn.LogSoftmax(1)), *digits(), CE


def within():
    x, _ = digits()
    return Then(of(), lambda outputs: outputs.clamp(0, 1)), x, torch.rand(64, 10), nn.MSELoss()


ENDS = [
    Case("Softmax twice", softmax_twice, ("OUT",), "2"),
    Case("ReLU before LogSoftmax", rectified, ("OUT",), "2"),
    Case("Softmax before the loss's log_softmax", softmax_in_both, ("OUT",), "2"),
    Case("Sigmoid before the loss's sigmoid", sigmoid_in_both, ("OUT",), "2"),
    Case("Clamped to 0..1", clamped, ("OUT",), "model.2"),
    Case("Softsign for large targets", softsign, ("OUT",), "2"),
    Case("All with all, by hand", all_with_all, ("INP",), "targets"),
    Case("Classes from 1 on", from_one, ("INP",), "targets"),
    Case("An output too few", too_few, ("INP",), "targets"),
    Case("Black images", black, ("INP",), "input 0"),
    Case("Padding and nothing else", padding, ("INP",), "input 0"),
]

FITTING = [
    Case("LogSoftmax before a cross-entropy", logarithms),
    Case("Clamped to the range of the targets", within),
    Case("Pairs that are meant", ranked),
    Case("Logarithms in the loss", logarithms_in_the_loss),
    Case("Labels that are left out", some_left_out),
]
