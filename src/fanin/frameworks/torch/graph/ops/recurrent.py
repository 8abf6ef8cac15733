"""Recurrent layers, a node for each layer of a stack, and single steps of them."""

from __future__ import annotations

from typing import Any

from fanin.frameworks.torch.graph.call import Call, Result, converts
from fanin.frameworks.torch.graph.values import Value
from fanin.graph.signal import Attribute

_GATES = {
    "lstm": ("input", "forget", "cell", "output"),
    "gru": ("reset", "update", "new"),
    "rnn": ("hidden",),
}


@converts("lstm", "gru", "rnn_tanh", "rnn_relu")
def _recurrent(call: Call) -> Result:
    kind = call.target.removeprefix("aten.").partition("_")[0]
    if call.overload == "data" or "input" not in call.arguments:
        return call.opaque("of packed sequences")
    start = call["hx"]
    states: list[Value] = list(start) if isinstance(start, list | tuple) else [start]
    stack = _Stack(call, kind, states)
    x, finals = call["input"], [[] for _ in states]
    for layer in range(call["num_layers"]):
        if layer and call["train"] and call["dropout"]:
            x = call.graph.emit("dropout", [x], x.shape, rate=float(call["dropout"]))
        x, last = stack.layer(x, layer)
        for found, states_ in zip(finals, last, strict=True):
            found.extend(states_)
    return (x, *(call.graph.concat(found, 0) for found in finals))


class _Stack:
    """The layers of a recurrent stack.

    Args:
        call: The operation.
        kind: "lstm", "gru" or "rnn".
        states: What it starts from: (layers x directions, ..., units) each.
    """

    def __init__(self, call: Call, kind: str, states: list[Value]) -> None:
        self.call, self.kind, self.states = call, kind, states
        self.directions = 2 if call["bidirectional"] else 1
        self.zero = all(state.tensor is not None and not bool(state.tensor.any()) for state in states)

    def layer(self, x: Value, layer: int) -> tuple[Value, list[list[Value]]]:
        """Return a layer's outputs, and for each of its states the last one of each direction."""
        inputs, slots = self._weights(layer)
        attributes: dict[str, Attribute] = {
            "kind": self.kind,
            "layers": 1,
            "bidirectional": self.directions == 2,
            "batch_first": bool(self.call["batch_first"]),
            "nonlinearity": "relu" if self.call.target.endswith("relu") else "tanh",
            "weights": slots,
            "gates": _GATES[self.kind],
            "reset_after": True,
        }
        if not self.zero:
            inputs += self._started(layer)
            attributes["states"] = len(self.states)
        shape = (*x.shape[:-1], self.call.shape[-1])
        made = [self._emit([x, *inputs], shape, attributes, state) for state in range(len(self.states))]
        return made[0], [self._ends(one) for one in made]

    def _emit(
        self, inputs: list[Value], shape: tuple[int, ...], attributes: dict[str, Attribute], state: int
    ) -> Value:
        """Return the outputs of all steps, or the cells of all steps for the second state."""
        if state:
            units = self.call.results[1 + state][0][-1] * self.directions
            shape, attributes = (*shape[:-1], units), {**attributes, "returns": "cell"}
        return self.call.graph.add("recurrent", inputs, shape, inputs[0].dtype, attributes)

    def _weights(self, layer: int) -> tuple[list[Value], Attribute]:
        params: list[Value] = list(self.call["params"])
        names = ["kernel", "recurrent", *(("bias", "recurrent_bias") if self.call["has_biases"] else ())]
        each = len(params) // (self.call["num_layers"] * self.directions)
        if each > len(names):
            names.append("projection")
        first = layer * self.directions * each
        return params[first : first + self.directions * each], (tuple(names),) * self.directions

    def _started(self, layer: int) -> list[Value]:
        first = layer * self.directions
        return [self.call.graph.slice(state, 0, first, first + self.directions) for state in self.states]

    def _ends(self, x: Value) -> list[Value]:
        """Return the last step of each direction, (1, batch, units): backwards it is the first in time."""
        graph = self.call.graph
        axis = x.ndim - 2 if x.ndim == 2 else (1 if self.call["batch_first"] else 0)
        units, steps = x.shape[-1] // self.directions, x.shape[axis]
        ends = []
        for direction in range(self.directions):
            own = graph.slice(x, x.ndim - 1, direction * units, (direction + 1) * units)
            at = 0 if direction else steps - 1
            last = graph.slice(own, axis, at, at + 1, drop=True)
            ends.append(graph.reshape(last, (1, *last.shape)))
        return ends


@converts("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def _cell(call: Call) -> Result:
    if call.target == "aten.lstm_cell":
        hidden, cell = call["hx"]
        return _lstm_step(call, hidden, cell)
    hidden = call["hx"]
    below, before = _sums(call, call["input"], "ih"), _sums(call, hidden, "hh")
    if call.target == "aten.gru_cell":
        return _gru_step(call, below, before, hidden)
    name = "tanh" if "tanh" in call.target else "relu"
    return call.graph.elementwise(name, call.graph.elementwise("add", below, before))


def _sums(call: Call, x: Value, of: str) -> Value:
    kernel, bias = call[f"w_{of}"], call.get(f"b_{of}")
    lead = "ab"[: x.ndim - 1]
    shape = (*x.shape[:-1], kernel.shape[0])
    inputs = [x, kernel, *([bias] if bias is not None else [])]
    return call.graph.emit("linear", inputs, shape, equation=f"{lead}i,oi->{lead}o")


def _parts(call: Call, x: Value, count: int) -> list[Value]:
    units = x.shape[-1] // count
    return [call.graph.slice(x, x.ndim - 1, i * units, (i + 1) * units) for i in range(count)]


def _lstm_step(call: Call, hidden: Value, cell: Value) -> Result:
    f: Any = call.graph.elementwise
    sums = f("add", _sums(call, call["input"], "ih"), _sums(call, hidden, "hh"))
    into, forget, new, out = _parts(call, sums, 4)
    kept = f("multiply", f("sigmoid", forget), cell)
    state = f("add", kept, f("multiply", f("sigmoid", into), f("tanh", new)))
    return f("multiply", f("sigmoid", out), f("tanh", state)), state


def _gru_step(call: Call, below: Value, before: Value, hidden: Value) -> Result:
    f: Any = call.graph.elementwise
    (r, z, n), (r_h, z_h, n_h) = _parts(call, below, 3), _parts(call, before, 3)
    reset, update = f("sigmoid", f("add", r, r_h)), f("sigmoid", f("add", z, z_h))
    new = f("tanh", f("add", n, f("multiply", reset, n_h)))
    return f("add", new, f("multiply", update, f("subtract", hidden, new)))
