"""A profile of what a graph's signals will do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from fanin.graph.signal import Node, SignalGraph
from fanin.theory.profile import Backward, Estimate, Forward, LayerSignal, ParameterSignal, SignalProfile
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, between, second_moment
from fanin.theory.propagation.doubts import WEIGHTS
from fanin.theory.propagation.draws import one_thread
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.notes import again, equal
from fanin.theory.propagation.run import Run, run
from fanin.theory.propagation.signal import Kernel, Signal, Unknown, Value

_NUMERICAL = 0.003  # relative error of populations, seen against closed forms
_NUMERICAL_BACK = 0.01  # of gradients, from one seed of the populations to the next
_CORRELATION = 0.015  # error of correlations, seen against networks


@one_thread
def predict(
    graph: SignalGraph,
    laws: Mapping[str, InputLaw],
    *,
    loss: str | None = None,
    inputs: str = "",
    seed: int = 0,
) -> SignalProfile:
    """Return the predicted signals of a graph, forward and backward, layer by layer.

    Args:
        graph: The model.
        laws: Distributions of its inputs, by the node's name.
        loss: What the gradients are of: "cross_entropy", "binary_cross_entropy" or "mse" of random targets;
            None for a standard normal gradient with respect to the outputs.
        inputs: The inputs in words.
        seed: Of the populations that stand for channels.

    Returns:
        The profile; what is not understood is unknown there, with the reason, and so is what depends on it.

    Example:
        >>> from fanin.graph.signal import Law, Weight
        >>> nodes = (
        ...     Node("x", "input", (), (8, 64)),
        ...     Node("w", "parameter", (), (64, 64), attributes={"weight": "w"}),
        ...     Node("y", "linear", ("x", "w"), (8, 64), attributes={"equation": "ab,cb->ac"}),
        ... )
        >>> graph = SignalGraph(nodes, (Weight("w", (64, 64), Law(0.0, 2 / 64)),), ("y",), {"fc": "y"})
        >>> round(predict(graph, {})["fc"].forward.q.value, 2)
        2.0
    """
    found = run(graph, laws, loss=loss, seed=seed)
    return SignalProfile(
        layers=tuple(_layers(graph, found)),
        parameters=tuple(_parameters(graph, found)),
        source="predicted",
        model=graph.name,
        inputs=inputs,
        cotangent=f"the {loss} of random targets" if loss else "standard normal at the outputs",
        notes=(*graph.notes, *equal(graph), *again(graph)),
    )


def _layers(graph: SignalGraph, found: Run) -> Iterator[LayerSignal]:
    """Yield what layers do in the order in which they end, those inside of loops where the loops do."""
    places = {node.name: place for place, node in enumerate(graph)}
    inner: dict[str, list[Node]] = {}
    for node in graph:
        for name in node.body.layers if node.body is not None else ():
            inner.setdefault(name, []).append(node)
    layers = graph.layers
    if not layers and not inner:
        layers = {
            node.name: node.name for node in graph if node.op not in _SOURCES and node.name in found.values
        }
    for name, end in layers.items():
        over = [path for path, loops in inner.items() if places[loops[0].name] <= places[end]]
        yield from (_inner(path, inner.pop(path), found) for path in over)
        yield _layer(name, graph[end], found)
    yield from (_inner(path, loops, found) for path, loops in inner.items())


def _inner(name: str, loops: list[Node], found: Run) -> LayerSignal:
    """Return what a layer does inside of a loop, over all steps.

    Args:
        name: The layer.
        loops: The nodes of the loop, one for each of its values.
        found: What came out.
    """
    assert loops[0].body is not None
    node = loops[0].body[loops[0].body.layers[name]]
    inside = [one for loop in loops if (one := found.context.inside.get((loop.name, name)))]
    value = inside[0].value if inside else found.values[loops[0].name]
    parts = [one.cotangent for one in inside if one.cotangent is not None]
    cotangent = sum(parts[1:], parts[0]) if parts else None
    lost = next((found.lost[loop.name] for loop in loops if loop.name in found.lost), "")
    signal = value if isinstance(value, Signal) else None
    unknown = value.reason if isinstance(value, Unknown) else ""
    return LayerSignal(
        name=name,
        type=node.source.type if node.source.layer == name.partition("#")[0] else "",
        shape=(loops[0]["length"], *node.shape),
        forward=None if signal is None else _forward(signal, found),
        backward=None if signal is None or cotangent is None else _backward(signal, cotangent, found),
        unknown=unknown or (f"gradient: {lost}" if lost else ""),
        where=str(node.source),
    )


_SOURCES = ("parameter", "constant", "input")


def _layer(name: str, node: Node, found: Run) -> LayerSignal:
    value = found.values[node.name]
    cotangent = found.cotangents.get(node.name)
    unknown = value.reason if isinstance(value, Unknown) else ""
    signal = value if isinstance(value, Signal) else None
    lost = found.lost.get(node.name, "")
    return LayerSignal(
        name=name,
        type=node.source.type or node.op,
        shape=node.shape,
        forward=_of_weights(value) if signal is None else _forward(signal, found),
        backward=None if signal is None or cotangent is None else _backward(signal, cotangent, found),
        chi_1=_chi_1(node, found),
        unknown=unknown or (f"gradient: {lost}" if lost else ""),
        where=str(node.source),
    )


def _of_weights(value: Value) -> Forward | None:
    """Return what is known of a layer's outputs that are weights, as those of a table of positions are."""
    if not isinstance(value, Kernel) or value.law is None:
        return None
    law, size = value.law, max(math.prod(value.shape), 1)
    q = law.second_moment
    return Forward(
        Estimate(law.mean, 0.0, math.sqrt(law.variance / size)),
        # As for a normal distribution.
        Estimate(q, 0.0, math.sqrt(2 / size) * q),
    )


def _forward(signal: Signal, found: Run) -> Forward:
    q = signal.q
    chance = float(np.std(found.context.seen(signal)[0]))
    error = math.sqrt(_NUMERICAL**2 + signal.doubt)
    # The mean of n values of second moment q over all channels.
    mean_chance = math.sqrt(max(q, 0.0) / max(signal.width, 1))
    apart = _apart(signal.covariance, signal, signal.doubt)
    return Forward(Estimate(signal.mean, 0.0, mean_chance), Estimate(q, error * q, chance * q), apart)


def _backward(signal: Signal, cotangent: Cotangent, found: Run) -> Backward:
    inner = cotangent.covariance(signal.places) * cotangent.growth
    q = second_moment(inner, signal.places)
    chance = float(np.std(found.context.seen_back(cotangent, signal)[0]))
    grown = float(np.var(cotangent.drift))
    error = math.sqrt(_NUMERICAL_BACK**2 + cotangent.doubt + grown**2)
    return Backward(Estimate(q, error * q, chance * q), _apart(inner, signal, cotangent.doubt))


def _apart(inner: Covariance, signal: Signal, doubt: float) -> Estimate | None:
    """Return the correlation of two examples.

    Over n channels that of one pair varies by (1 - c^2) / sqrt(n), and that of many pairs by less the less
    they have in common.
    """
    q = second_moment(inner, signal.places)
    if signal.examples < 2 or not q:
        return None
    c = between(inner, signal.places) / q
    varies = float(signal.own_chance[1] + np.var(signal.chance[1]) / 4)
    chance = (1 - c**2) * math.sqrt((c**2 + 1 / signal.examples) * varies)
    return Estimate(c, math.hypot(_CORRELATION, (1 - c) * math.sqrt(doubt)), max(chance, 0.0))


def _chi_1(node: Node, found: Run) -> float | None:
    """Return fan_in Var(w) E[f'^2] of a layer with weights that reads a function f of a layer before."""
    if node.op not in ("linear", "convolution"):
        return None
    x, y = found.values[node.inputs[0]], found.values[node.name]
    if not isinstance(x, Signal) or not isinstance(y, Signal) or x.chain is None or not x.q:
        return None
    if x.chain.root.values is x.values:  # no activation in between
        return None
    return float(np.mean(np.square(x.chain.slope))) * _gained(y, x)


def _gained(y: Signal, x: Signal) -> float:
    """Return fan_in Var(w): what a layer's sums make of the second moment of what they read."""
    return y.q / x.q


def _parameters(graph: SignalGraph, found: Run) -> list[ParameterSignal]:
    result = []
    for weight in graph.weights:
        if not weight.trainable:
            continue
        parts = found.context.gradients.get(weight.name)
        result.append(
            ParameterSignal(
                weight.name,
                weight.shape,
                weight.law.second_moment if weight.law else None,
                _gradient(parts) if parts else None,
            )
        )
    return result


def _gradient(parts: list) -> Estimate:
    value = sum(part.second_moment for part in parts)
    changes = sum(part.second_moment * part.chance[0] for part in parts)
    return Estimate(value, WEIGHTS * value, float(np.std(changes)))
