"""A graph's signals, forward and backward, node by node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fanin.graph.axes import Axes, axes_of
from fanin.graph.signal import Law, Node, SignalGraph
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import joined
from fanin.theory.propagation.demand import points_needed
from fanin.theory.propagation.doubts import doubt_back, doubt_of
from fanin.theory.propagation.draws import Normals, one_thread
from fanin.theory.propagation.folding import folded
from fanin.theory.propagation.gathering import gathered
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.laws import centred
from fanin.theory.propagation.overlaps import overlap_of
from fanin.theory.propagation.places import SAMPLES, Places, causal
from fanin.theory.propagation.registry import Rule, registered
from fanin.theory.propagation.rotary import turned
from fanin.theory.propagation.rules.again import Again
from fanin.theory.propagation.rules.attention import attention
from fanin.theory.propagation.rules.convolution import convolution
from fanin.theory.propagation.rules.joins import concat
from fanin.theory.propagation.rules.linear import linear
from fanin.theory.propagation.rules.losses import loss, loss_gradient
from fanin.theory.propagation.rules.maps import matmul
from fanin.theory.propagation.rules.noise import dropout, noise
from fanin.theory.propagation.rules.norms import norm
from fanin.theory.propagation.rules.padding import padded
from fanin.theory.propagation.rules.pointwise import elementwise
from fanin.theory.propagation.rules.pools import pool
from fanin.theory.propagation.rules.recurrent import recurrent
from fanin.theory.propagation.rules.reductions import reduce
from fanin.theory.propagation.rules.scans import FOLLOWED, scan, sequence
from fanin.theory.propagation.rules.shapes import same_values
from fanin.theory.propagation.rules.slices import part, selected
from fanin.theory.propagation.rules.softmax import softmax
from fanin.theory.propagation.rules.tables import embedding
from fanin.theory.propagation.rules.weights import of_weights
from fanin.theory.propagation.signal import (
    STILL,
    Fixed,
    Kernel,
    Pullback,
    Result,
    Signal,
    Tokens,
    Unknown,
    Value,
)
from fanin.theory.propagation.spectral import normalized

RULES: dict[str, Rule] = {
    "attention": attention,
    "broadcast": same_values,
    "concat": concat,
    "convolution": convolution,
    "dropout": dropout,
    "noise": noise,
    "elementwise": elementwise,
    "embedding": embedding,
    "linear": linear,
    "loss": loss,
    "matmul": matmul,
    "norm": norm,
    "pad": padded,
    "permute": same_values,
    "pool": pool,
    "recurrent": recurrent,
    "reduce": reduce,
    "reshape": same_values,
    "scan": scan,
    "slice": part,
    "softmax": softmax,
}
"""What each op does; one that is not here is unknown."""

_ROWS = 9, 14  # powers of 2: fewest and most
_NODES = 200  # numbers a place that a step of a recurrence keeps
_NUMBERS = 40_000_000  # of all values, for the sake of memory
_FEWEST = 3  # steps of a loop


@dataclass(frozen=True, eq=False)
class Run:
    """What came out of a graph.

    Args:
        values: Of each node.
        cotangents: Of each node whose gradient is known.
        lost: Why other gradients are not, by node.
        context: With the gradients of weights.
    """

    values: Mapping[str, Value]
    cotangents: Mapping[str, Cotangent]
    lost: Mapping[str, str]
    context: Context


@one_thread
@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # what is not finite is said to be unknown
def run(
    graph: SignalGraph,
    laws: Mapping[str, InputLaw],
    *,
    loss: str | None = None,
    seed: int = 0,
    rows: int | None = None,
) -> Run:
    """Follow signals through a graph and gradients back.

    Args:
        graph: The model.
        laws: Of its inputs, by the node's name.
        loss: What the gradients are of: a kind of `fanin.theory.propagation.rules.losses`; None for a
            standard normal gradient with respect to the outputs.
        seed: Of the populations.
        rows: Channels that are followed; by default as many as places allow.
    """
    graph = folded(normalized(graph))
    graph, turns = turned(graph, axes_of(graph))
    axes = axes_of(graph)
    graph = gathered(graph, axes)
    blocks = _unrolled(graph, axes) | _blocks(graph)
    points = points_needed(graph, axes)
    rows = rows or _rows_for(graph, blocks, points)
    context = Context(graph, axes, Normals(rows, seed), points, forward, turns=turns)
    again = Again(graph, context.normals)
    values: dict[str, Value] = {}
    pullbacks: dict[str, Pullback | None] = {}
    for node in graph:
        inputs = [values[name] for name in node.inputs]
        found = _given(node, laws, context, blocks) or again.result(node, inputs, context)
        found = found or forward(node, inputs, context)
        values[node.name], pullbacks[node.name] = (
            _finished(found.value, node, inputs, context),
            found.pullback,
        )
    cotangents, lost = _backward(graph, values, pullbacks, context, again, loss)
    again.take_down(context)
    return Run(values, cotangents, lost, context)


def _finished(value: Value, node: Node, inputs: list[Value], context: Context) -> Value:
    """Return a value with what is alike for all rules: how far it is in doubt, and how much chance it has."""
    if not isinstance(value, Signal):
        return value
    # Half of what finite width moves the mean by is in doubt, layer after layer the same way.
    moved = abs(value.correction - 1) / 2 if node.op == "elementwise" else 0.0
    doubt = (math.sqrt(doubt_of(node, inputs)) + moved) ** 2
    value = replace(value, doubt=doubt, overlap=overlap_of(node, inputs, value))
    return context.noisy(value) if value.noise is None else value


def forward(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return what a node makes of its inputs."""
    if node.op == "parameter":
        return Result(_parameter(node, context))
    if node.op == "constant":
        return Result(_constant(node))
    for value in inputs:
        if isinstance(value, Unknown):
            return Result(value)
    made = of_weights(node, inputs, context)
    if made is not None:
        return Result(made)
    rule = registered(node["operator"]) if node.op == "opaque" else RULES.get(node.op)
    if rule is None:
        return Result(Unknown(_unknown(node)))
    return rule(node, inputs, context)


def _unknown(node: Node) -> str:
    what = f"{node.get('operator', node.op)} ({node.name})"
    reason = node.get("reason", "")
    return f"{what}: {reason}" if reason else what


def _given(
    node: Node, laws: Mapping[str, InputLaw], context: Context, blocks: Mapping[int, tuple[int, ...]]
) -> Result | None:
    if node.op != "input":
        return None
    return Result(_input(node, laws.get(node.name, InputLaw()), context, blocks))


def _input(node: Node, law: InputLaw, context: Context, blocks: Mapping[int, tuple[int, ...]]) -> Value:
    total = context.size(node.name, "position")
    places = Places(blocks.get(total, (total,)), context.points[node.name])
    examples = context.size(node.name, "batch")
    if law.tokens:
        return Tokens(places, examples, law.repeats)
    one = np.eye(len(places)) > 0
    q, level = law.second_moment, law.mean**2
    both = min(law.position, law.example)
    wanted = joined(
        np.where(one, q, law.position * q) - level,
        np.where(one, law.example * q, both * q) - level,
    )
    values = context.population(wanted) + law.mean
    width = context.size(node.name, "channel")
    return Signal(values, places, width, examples, STILL, Chain.of(values, STILL), normal=True)


def _parameter(node: Node, context: Context) -> Kernel:
    weight = context.graph.weight[node["weight"]]
    law, factor = node.get("law"), node.get("factor", 1.0)
    if law is not None:
        return Kernel(Law(*law), node.shape, weight.name, factor)
    return Kernel(centred(weight), node.shape, weight.name, factor, weight.parts, weight.axis)


def _constant(node: Node) -> Fixed:
    value = node.get("value")
    array = None if value is None else np.asarray(value, float)
    mean = node.get("mean", 0.0) if array is None else float(np.mean(array))
    second = node.get("second_moment", 0.0) if array is None else float(np.mean(array**2))
    return Fixed(array, node.shape, mean, second, node.get("mask", ""))


# Where positions differ


def _blocks(graph: SignalGraph) -> dict[int, tuple[int, ...]]:
    """Return the blocks of sequences whose positions see different things, by their length."""
    found = {}
    for node in graph:
        if node.op == "attention" and _is_causal(node, graph):
            length = node.shape[-2]
            found[length] = causal(length)
        if node.op in ("recurrent", "scan"):
            length = _steps(node)
            found[length] = sequence(length)
    return found


def _unrolled(graph: SignalGraph, axes: Mapping[str, Axes]) -> dict[int, tuple[int, ...]]:
    """Return the blocks of sequences that are taken apart, step by step, as loops that are written out do."""
    taken: dict[tuple[str, int], set[int]] = {}
    for node in graph:
        if node.op == "slice":
            name, axis = node.inputs[0], node["axis"]
            index = selected(node, graph[name].shape[axis])
            if len(index) == 1:
                taken.setdefault((name, axis), set()).update(index.tolist())
    found = {}
    for (name, axis), steps in taken.items():
        length = graph[name].shape[axis]
        over_positions = {atom.role for atom in axes[name][axis]} == {"position"}
        if over_positions and len(steps) == length and _FEWEST < length <= FOLLOWED:
            found[length] = sequence(length)
    return found


def _steps(node: Node) -> int:
    if node.op == "scan":
        return node["length"]
    return node.shape[1 if node.get("batch_first") else 0]


def _is_causal(node: Node, graph: SignalGraph) -> bool:
    masks = [graph[name] for name in node.inputs[3:]]
    return bool(node.get("causal")) or any(mask.get("mask") == "causal" for mask in masks)


def _rows_for(graph: SignalGraph, blocks: Mapping[int, tuple[int, ...]], points: Mapping[str, int]) -> int:
    """Return how many channels to follow: as many as memory allows for all places of all nodes."""
    most = max((len(Places(sizes)) for sizes in blocks.values()), default=1)
    # Points of corners, borders and the inside, of which one block has the most.
    image = 14 if any(node.op in ("convolution", "pool") for node in graph) else 1
    numbers = sum(
        _NODES * len(blocks[_steps(node)])
        if node.op in ("recurrent", "scan")
        else max(most, image * points[node.name])
        for node in graph
        if node.op not in ("parameter", "constant")
    )
    rows = _NUMBERS // (numbers * SAMPLES)
    return int(2 ** np.clip(np.floor(np.log2(max(rows, 1))), *_ROWS))


# Backward


def _backward(
    graph: SignalGraph,
    values: Mapping[str, Value],
    pullbacks: dict[str, Pullback | None],
    context: Context,
    again: Again,
    loss: str | None,
) -> tuple[dict[str, Cotangent], dict[str, str]]:
    found = _starts(graph, values, context, loss)
    lost = {name: value.reason for name, value in values.items() if isinstance(value, Unknown)}
    lost |= {name: lost[name] for name in graph.outputs if name in lost}
    leading = _leading_to_outputs(graph)
    for node in reversed(graph.nodes):
        if node.name in leading:
            _spread_loss(node, values, pullbacks, lost)
        cotangent = found.get(node.name)
        pullback = pullbacks.pop(node.name)
        if node.name in lost or cotangent is None or pullback is None:
            continue
        value = values[node.name]
        assert isinstance(value, Signal)
        cotangent = again.realized(node, cotangent, value, context)
        found[node.name] = settled = context.settled(cotangent, value)
        back = pullback(settled)
        for place, (name, given) in enumerate(zip(node.inputs, back, strict=False)):
            if given is not None:
                given = replace(given, doubt=given.doubt + doubt_back(node, place))
                found[name] = found[name] + given if name in found else given
    kept = {name: cotangent for name, cotangent in found.items() if name not in lost}
    return kept, lost


def _leading_to_outputs(graph: SignalGraph) -> set[str]:
    """Return the nodes that an output depends on; gradients with respect to others are 0."""
    found = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.name in found:
            found.update(node.inputs)
    return found


def _spread_loss(
    node: Node, values: Mapping[str, Value], pullbacks: Mapping[str, Pullback | None], lost: dict[str, str]
) -> None:
    """What an unknown gradient flows into is unknown too."""
    reason = lost.get(node.name)
    if (
        reason is None
        and pullbacks[node.name] is None
        and isinstance(values[node.name], Signal)
        and node.inputs
    ):
        reason = f"the gradient of {node.op} ({node.name})"
    if reason:
        for name in node.inputs:
            if not isinstance(values[name], Fixed):
                lost.setdefault(name, reason)


def _starts(
    graph: SignalGraph, values: Mapping[str, Value], context: Context, loss: str | None
) -> dict[str, Cotangent]:
    found = {}
    for name in graph.outputs:
        value = values[name]
        if not isinstance(value, Signal):
            continue
        if loss is not None:
            found[name] = loss_gradient(loss, value, context)
            continue
        points = len(value.places)
        wanted = joined(np.eye(points), np.zeros((points, points)))
        found[name] = Cotangent.normal(wanted)
    return found
