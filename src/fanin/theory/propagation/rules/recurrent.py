"""LSTM, GRU and simple recurrent layers, as scans of their cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node, SignalGraph, Weight
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.rules.cells import CELLS, Cell, Gate
from fanin.theory.propagation.rules.scans import scan
from fanin.theory.propagation.signal import Contributions, Fixed, Kernel, Result, Signal, Unknown, Value


def recurrent(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return the outputs of a recurrent layer at every step."""
    for value in inputs:
        if isinstance(value, Unknown):
            return Result(value)
    x, directions = inputs[0], node["weights"]
    if not isinstance(x, Signal) or node["kind"] not in CELLS:
        return Result(Unknown(f"{node.name}: a recurrent layer of kind {node['kind']} that reads no signal"))
    if node.get("layers", 1) != 1:
        return Result(Unknown(f"{node.name}: {node['layers']} recurrent layers in one"))
    results, start = [], 1
    for direction, slots in enumerate(directions):
        weights = dict(zip(slots, inputs[start : start + len(slots)], strict=True))
        start += len(slots)
        results.append(_one_direction(node, x, weights, reverse=direction == 1, context=context))
    return results[0] if len(results) == 1 else _both(node, results, len(inputs), context)


def _one_direction(
    node: Node, x: Signal, weights: dict[str, Value], *, reverse: bool, context: Context
) -> Result:
    gates = tuple(node["gates"])
    kernels = {slot: value for slot, value in weights.items() if isinstance(value, Kernel)}
    if any(kernel.law is None for kernel in kernels.values()):
        return Result(Unknown(f"{node.name}: nobody knows what its weights are distributed by"))
    units = kernels["recurrent"].shape[0] // len(gates)
    cell = Cell(context.size(node.name, "batch") or 1, units)
    known = {
        gate: Gate(*(_part(cell, slot, kernels.get(slot), number, len(gates)) for slot in _SLOTS))
        for number, gate in enumerate(gates)
    }
    outputs, carried = CELLS[node["kind"]](cell, known, node, x.width)
    wanted = 1 if node.get("returns") == "cell" else 0
    body = SignalGraph(tuple(cell.nodes), tuple(cell.weights), (*outputs, outputs[wanted]))
    zeros: Value = Fixed(np.zeros(()), (cell.batch, units))
    length = node.shape[1 if node.get("batch_first") and len(node.shape) > 2 else 0]
    attributes = {"carried": carried, "length": length, "reverse": reverse, "output": carried}
    given: list[Value] = [*[zeros] * carried, x]
    found = scan(replace(node, attributes=attributes, body=body), given, context)
    pullback = found.pullback
    if pullback is None:
        return found
    return Result(found.value, lambda cotangent: [pullback(cotangent)[carried]])


_SLOTS = ("kernel", "recurrent", "bias", "recurrent_bias")


def _part(cell: Cell, slot: str, kernel: Kernel | None, number: int, gates: int) -> str:
    """Return the node of one gate's part of a weight; empty where the layer has no such weight."""
    if kernel is None or kernel.law is None:
        return ""
    law = kernel.parts[number] if len(kernel.parts) == gates else kernel.law
    shape = (kernel.shape[0] // gates, *kernel.shape[1:])
    # Each gate has its share of the weight's values, and so of their mean.
    return cell.weight(Weight(kernel.weight, shape, law), f"{slot}.{number}", gates**-0.5 * kernel.factor)


def _both(node: Node, results: list[Result], inputs: int, context: Context) -> Result:
    """Return the outputs of both directions side by side."""
    forward, backward = (result.value for result in results)
    for value in (forward, backward):
        if not isinstance(value, Signal):
            return Result(value)
    assert isinstance(forward, Signal)
    assert isinstance(backward, Signal)
    values = np.concatenate([forward.values[::2], backward.values[::2]])
    width = context.size(node.name, "channel")
    y = replace(forward, values=values, width=width, chance=(forward.chance + backward.chance) / 2)

    def pullback(cotangent: Cotangent) -> Contributions:
        total: Cotangent | None = None
        for number, result in enumerate(results):
            assert result.pullback is not None
            parts = tuple(_half(part, number) for part in cotangent.parts)
            (mine,) = result.pullback(replace(cotangent, parts=parts))
            if mine is not None:
                total = mine if total is None else total + mine
        return [total, *[None] * (inputs - 1)]

    return Result(y, pullback)


def _half(part: Part, number: int) -> Part:
    """Return a gradient of both halves of the channels as one of a half."""
    if len(part.slope) == 1:
        return part
    half = len(part.slope) // 2
    return part.with_slope(np.repeat(part.slope[number * half : (number + 1) * half], 2, axis=0))
