"""Recurrent layers that PyTorch makes in one call: made one by one, so that each of a stack is seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fanin.frameworks.torch.checking import gates

_KINDS: dict[Any, str] = {torch.lstm: "LSTM", torch.gru: "GRU", torch.rnn_tanh: "RNN", torch.rnn_relu: "RNN"}
FUSED = frozenset(_KINDS)
"""Functions that make all layers, directions and steps of a recurrent module."""


@dataclass(frozen=True, eq=False)
class Made:
    """What one layer of a stack has read and made.

    Args:
        number: Of the layer, from 1 on.
        count: How many layers there are.
        bounded: Whether a tanh makes the states.
        read: What it reads.
        states: What it returns, both directions side by side.
        saturated: Share of its gates' values that are saturated; None where it has no gates.
    """

    number: int
    count: int
    bounded: bool
    read: torch.Tensor
    states: torch.Tensor
    saturated: float | None


@dataclass(frozen=True, eq=False)
class Call:
    """A call of one of these functions.

    Args:
        func: The function.
        read: Steps of all examples: (steps, examples, features), examples first, or packed.
        sizes: Of packed steps, how many examples each has; None of others.
        begins: The states that layers begin with, each (layers * directions, examples, units).
        weights: Of all layers and directions, one after the other.
        biased: Whether there are biases among them.
        layers: How many layers there are.
        train: Whether it is training.
        both: Whether there is a second direction.
        axis: The axis of the steps.
    """

    func: Any
    read: torch.Tensor
    sizes: torch.Tensor | None
    begins: tuple[torch.Tensor, ...]
    weights: Sequence[torch.Tensor]
    biased: bool
    layers: int
    train: bool
    both: bool
    axis: int

    @classmethod
    def of(cls, func: Any, args: Sequence[Any]) -> Call:
        """Return a call with its arguments, which are others where the steps are packed."""
        sizes = None if isinstance(args[3], bool) else args[1]
        rest = args[1:] if sizes is None else args[2:]
        begins, weights, biased, layers, _, train, both = rest[:7]
        begins = tuple(begins) if isinstance(begins, tuple | list) else (begins,)
        axis = int(sizes is None and rest[7])
        return cls(func, args[0], sizes, begins, weights, biased, layers, train, both, axis)

    def run(
        self,
        see: Callable[[Made], None] | None = None,
        hear: Callable[[torch.Tensor], None] | None = None,
    ) -> tuple[torch.Tensor, ...]:
        """Return what the function returns, without dropout between layers.

        The last states are taken from those of all steps, so that gradients with respect to these are whole.

        Args:
            see: Is shown each layer.
            hear: Is told the gradient with respect to what the first layer reads, the steps first.
        """
        read, ends = self.read if hear is None else self._heard(hear), []
        for number in range(self.layers):
            states, _, *more = self._layer(read, number)
            if see is not None:
                see(self._made(read, states, number))
            ends.append((self._last(states), *more))
            read = states
        return read, *(torch.cat(several) for several in zip(*ends, strict=True))

    def _heard(self, hear: Callable[[torch.Tensor], None]) -> torch.Tensor:
        """Return what the first layer reads, where its gradient is told on the way back.

        Inputs have no gradient of their own, but it is on the way of one if they seem to be made of a weight.
        """
        weight = next((one for one in self.weights if one.requires_grad), None)
        if weight is None or self.sizes is not None or not torch.is_grad_enabled():
            return self.read
        return _Heard.apply(self.read, weight, lambda gradient: hear(gradient.movedim(self.axis, 0)))  # pyright: ignore[reportReturnType]

    @property
    def _directions(self) -> int:
        return 2 if self.both else 1

    def _layer(self, read: torch.Tensor, number: int) -> tuple[torch.Tensor, ...]:
        begins = self._begins(number)
        first = begins if self.func is torch.lstm else begins[0]
        options = (self.biased, 1, 0.0, self.train, self.both)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that weights of one layer are not all of a buffer
            if self.sizes is None:
                return self.func(read, first, self._weights(number), *options, bool(self.axis))
            return self.func(read, self.sizes, first, self._weights(number), *options)

    def _begins(self, number: int) -> tuple[torch.Tensor, ...]:
        wide = self._directions
        return tuple(one[number * wide : (number + 1) * wide] for one in self.begins)

    def _weights(self, number: int) -> list[torch.Tensor]:
        wide = len(self.weights) // self.layers
        return list(self.weights[number * wide : (number + 1) * wide])

    def _last(self, states: torch.Tensor) -> torch.Tensor:
        """Return the states after the last step of each example: (directions, examples, units)."""
        ways = states.chunk(self._directions, -1)
        if self.sizes is None:
            return torch.stack([one.select(self.axis, -way) for one, way in zip(ways, (1, 0), strict=False)])
        return torch.stack([one[rows] for one, rows in zip(ways, self._rows(states), strict=False)])

    def _rows(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return where the last and the first steps of packed examples are."""
        assert self.sizes is not None
        sizes = self.sizes
        examples = torch.arange(int(sizes[0]))
        steps = (sizes[:, None] > examples).sum(0) - 1
        return (sizes.cumsum(0) - sizes)[steps].add(examples).to(states.device), examples.to(states.device)

    def _made(self, read: torch.Tensor, states: torch.Tensor, number: int) -> Made:
        bounded, kind = self.func is not torch.rnn_relu, _KINDS[self.func]
        with torch.no_grad():
            weights, wide = self._weights(number), self._directions
            each = len(weights) // wide
            shares = [
                gates.saturated(kind, read, before, *weights[way * each : way * each + 2])
                for way, before in enumerate(self._before(states, self._begins(number)[0]))
            ]
        known = [share for share in shares if share is not None]
        found = sum(known) / len(known) if known else None
        return Made(number + 1, self.layers, bounded, read, states, found)

    def _before(self, states: torch.Tensor, begins: torch.Tensor) -> list[torch.Tensor]:
        """Return the states before each step, of each direction."""
        ways = states.chunk(self._directions, -1)
        if self.sizes is not None:
            both = _packed_before, _packed_after
            return [
                turn(one, begin, self.sizes.tolist())
                for turn, one, begin in zip(both, ways, begins, strict=False)
            ]
        found = []
        for way, (one, begin) in enumerate(zip(ways, begins, strict=True)):
            rest = one.narrow(self.axis, way, one.shape[self.axis] - 1)
            edge = begin.unsqueeze(self.axis)
            found.append(torch.cat([rest, edge] if way else [edge, rest], self.axis))
        return found


class _Heard(torch.autograd.Function):
    """Returns a tensor as it is, and tells the gradient with respect to it."""

    @staticmethod
    def forward(
        ctx: Any, read: torch.Tensor, weight: torch.Tensor, hear: Callable[[torch.Tensor], None]
    ) -> Any:
        ctx.hear = hear
        return read.view_as(read)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        ctx.hear(gradients[0])
        return gradients[0], None, None


def _packed_before(states: torch.Tensor, begin: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    steps = (begin, *states.split(sizes))
    return torch.cat([before[:size] for before, size in zip(steps, sizes, strict=False)])


def _packed_after(states: torch.Tensor, begin: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    steps = (*states.split(sizes)[1:], states[:0])
    return torch.cat(
        [torch.cat([after, begin[len(after) : size]]) for after, size in zip(steps, sizes, strict=True)]
    )
