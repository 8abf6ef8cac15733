"""The graphs of one step of an LSTM, a GRU and a simple recurrent layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fanin.graph.signal import Attribute, Node, Op, Weight


class Gate(NamedTuple):
    """The weights of a gate, by the names of their nodes; empty where there is none."""

    kernel: str
    recurrent: str
    bias: str = ""
    recurrent_bias: str = ""


class Cell:
    """Builds the graph of one step.

    Args:
        batch: Examples.
        units: Outputs.
    """

    def __init__(self, batch: int, units: int) -> None:
        self.batch, self.units = batch, units
        self.nodes: list[Node] = []
        self.weights: list[Weight] = []

    def input(self, name: str, features: int | None = None) -> str:
        """Add an input of the step."""
        node = Node(name, "input", (), (self.batch, features or self.units))
        self.nodes.append(node)
        return name

    def weight(self, weight: Weight, name: str, factor: float) -> str:
        """Add a weight, whose gradient counts with a factor's square."""
        if all(each.name != weight.name for each in self.weights):
            self.weights.append(weight)
        attributes: dict[str, Attribute] = {
            "weight": weight.name,
            "factor": factor,
            "law": (weight.law.mean, weight.law.variance) if weight.law else None,
        }
        self.nodes.append(Node(name, "parameter", (), weight.shape, attributes=attributes))
        return name

    def of(self, function: str, *inputs: str, scalars: tuple[Attribute, ...] = ()) -> str:
        """Add a function of elements."""
        attributes: dict[str, Attribute] = {"function": function}
        if scalars:
            attributes["scalars"] = scalars
        return self._node("elementwise", inputs, attributes)

    def sums(self, gate: Gate, x: str, h: str) -> tuple[str, str]:
        """Add what a gate makes of the step's input, and of the state."""
        return self._linear(x, gate.kernel, gate.bias), self._linear(h, gate.recurrent, gate.recurrent_bias)

    def gate(self, gate: Gate, function: str, x: str, h: str) -> str:
        """Add a gate: a function of the sum of both."""
        return self.of(function, self.of("add", *self.sums(gate, x, h)))

    def _linear(self, x: str, kernel: str, bias: str) -> str:
        inputs = (x, kernel, bias) if bias else (x, kernel)
        return self._node("linear", inputs, {"equation": "ab,cb->ac"})

    def _node(self, op: Op, inputs: tuple[str, ...], attributes: Mapping[str, Attribute]) -> str:
        name = f"{op}.{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs, (self.batch, self.units), attributes=attributes))
        return name


Step = Callable[[Cell, Mapping[str, Gate], Node, int], tuple[tuple[str, ...], int]]


def _lstm(cell: Cell, gates: Mapping[str, Gate], node: Node, features: int) -> tuple[tuple[str, ...], int]:
    """C' = f c + i g,  h' = o tanh c'."""
    h, c, x = cell.input("h"), cell.input("c"), cell.input("x", features)
    opened = {name: cell.gate(gates[name], "sigmoid", x, h) for name in ("input", "forget", "output")}
    fresh = cell.gate(gates["cell"], "tanh", x, h)
    kept = cell.of("multiply", opened["forget"], c)
    state = cell.of("add", kept, cell.of("multiply", opened["input"], fresh))
    return (cell.of("multiply", opened["output"], cell.of("tanh", state)), state), 2


def _gru(cell: Cell, gates: Mapping[str, Gate], node: Node, features: int) -> tuple[tuple[str, ...], int]:
    """H' = (1 - z) n + z h,  n = tanh(W x + r (U h)), or tanh(W x + U (r h)) with the reset before."""
    h, x = cell.input("h"), cell.input("x", features)
    reset = cell.gate(gates["reset"], "sigmoid", x, h)
    update = cell.gate(gates["update"], "sigmoid", x, h)
    if node.get("reset_after", True):
        of_input, of_state = cell.sums(gates["new"], x, h)
        fresh = cell.of("tanh", cell.of("add", of_input, cell.of("multiply", reset, of_state)))
    else:
        fresh = cell.gate(gates["new"], "tanh", x, cell.of("multiply", reset, h))
    rest = cell.of("subtract", update, scalars=(1.0, None))
    return (cell.of("add", cell.of("multiply", rest, fresh), cell.of("multiply", update, h)),), 1


def _simple(cell: Cell, gates: Mapping[str, Gate], node: Node, features: int) -> tuple[tuple[str, ...], int]:
    """H' = f(W x + U h)."""
    h, x = cell.input("h"), cell.input("x", features)
    (gate,) = gates.values()
    return (cell.gate(gate, str(node.get("nonlinearity", "tanh")), x, h),), 1


CELLS: dict[str, Step] = {"lstm": _lstm, "gru": _gru, "rnn": _simple}
