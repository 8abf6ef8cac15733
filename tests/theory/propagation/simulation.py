"""What a graph does, simulated: random weights and inputs, PyTorch's functions, gradients by autograd."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as f

from fanin.graph.axes import axes_of
from fanin.graph.signal import Law, Node, SignalGraph, Weight
from fanin.theory.propagation.covariance import pair_counts, second_moment
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import Run, run
from fanin.theory.propagation.signal import Signal
from frameworks.torch.graph.interpret import OPS
from theory.propagation.graphs import Maker

NAMES = ("q", "mean", "example", "position", "both")
"""E[x^2]; E[x]; E[x x'] of two examples at a position, of two positions of an example, of both."""
GOAL = 0.01
"""How far a prediction may be off, beyond two standard errors of the simulation."""
_ENOUGH, _COARSE = 0.3, 0.6
"""Standard errors, of a tolerance: with which a simulation stops, and with which it says nothing."""
_LOOK = 50  # networks, between looks at how coarse the simulation still is


@dataclass
class Found:
    """Moments and their standard errors, by name."""

    value: dict[str, float]
    error: dict[str, float]

    def scale(self, name: str) -> float:
        """What a moment is relative to: E[x^2]; of means, its root."""
        q = self.value["q"]
        return (math.sqrt(q) if name == "mean" else q) or 1.0


@dataclass
class Simulated:
    """Averages over many networks.

    Args:
        forward: Of each node.
        backward: Of the gradient with respect to each node.
        parameters: E[dw^2] of each weight.
    """

    forward: dict[str, Found]
    backward: dict[str, Found]
    parameters: dict[str, Found]

    @property
    def coarseness(self) -> float:
        """The largest standard error of all, relative to its signal."""
        every = (one for kind in (self.forward, self.backward, self.parameters) for one in kind.values())
        return max((error / one.scale(name) for one in every for name, error in one.error.items()), default=0)


def simulated(
    graph: SignalGraph,
    laws: Mapping[str, InputLaw] | None = None,
    *,
    draws=800,
    loss=None,
    seed=0,
    names: Collection[str] | None = None,
    precision: float = 0.0,
) -> Simulated:
    """Return the moments of a graph's values and gradients, or of some of them, over random networks.

    Args:
        graph: The model.
        laws: Of its inputs.
        draws: Networks, at most.
        loss: What gradients are of.
        seed: Of all that is drawn.
        names: Of the nodes that are looked at; by default of all that have values.
        precision: Standard errors, relative to each signal, that are small enough to stop.
    """
    with one_thread():
        return _simulated(graph, laws, draws, loss, seed, names, precision)


@contextmanager
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # values are small: more threads would wait for each other
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _simulated(graph, laws, draws, loss, seed, names, precision):
    random = torch.Generator().manual_seed(seed)
    axes = axes_of(graph)
    found = {}, {}, {}
    for done in range(1, draws + 1):
        _draw(graph, laws or {}, loss, random, names, axes, found)
        if done % _LOOK == 0 and done < draws:
            so_far = Simulated(*map(_averaged, found))
            if so_far.coarseness < precision:
                return so_far
    return Simulated(*map(_averaged, found))


def _draw(graph, laws, loss, random, names, axes, found):
    """Take down one network more."""
    forward, backward, parameters = found
    values, weights = _forward(graph, laws, random, axes)
    _backward(graph, values, loss, random)
    for node in graph:
        x = values[node.name]
        wanted = node.op not in ("parameter", "constant") if names is None else node.name in names
        if not wanted or not x.is_floating_point():
            continue
        _record(forward, node, x.detach(), axes)
        if x.grad is not None:
            _record(backward, node, x.grad, axes)
    for name, tensor in weights.items():
        if tensor.grad is not None:
            parameters.setdefault(name, []).append({"q": _squares(tensor.grad) / tensor.numel()})


def _forward(graph, laws, random, axes):
    values, weights = {}, {}
    for node in graph:
        if node.op == "input":
            value = _given(node, laws.get(node.name, InputLaw()), graph, random, axes[node.name])
        elif node.op == "parameter":
            value = _drawn(graph.weight[node["weight"]], random)
            weights[node["weight"]] = value
        elif node.op == "dropout":
            value = _dropped(node, values[node.inputs[0]], random)
        elif node.op == "noise":
            value = _noise(node, random)
        elif node.op == "loss":
            value = _loss(
                node["kind"],
                values[node.inputs[0]],
                random,
                *(values[name].detach() for name in node.inputs[1:]),
                reduction=node["reduction"],
            )
        else:
            value = OPS[node.op](node, [values[name] for name in node.inputs])
        assert tuple(value.shape) == node.shape, (node, value.shape)
        if value.is_floating_point() and value.requires_grad:
            value.retain_grad()
        values[node.name] = value
    return values, weights


def _given(node: Node, law: InputLaw, graph, random, axes):
    if law.tokens:
        reader = next(other for other in graph if node.name in other.inputs)
        rows = graph[reader.inputs[1]].shape[0]
        return torch.randint(0, rows, node.shape, generator=random)
    roles = [{atom.role for atom in axis} for axis in axes]

    def part(share, *varies):
        shape = [
            size if not role or role <= {"channel", *varies} else 1
            for size, role in zip(node.shape, roles, strict=True)
        ]
        return math.sqrt(max(share, 0.0)) * torch.randn(shape, generator=random)

    q, level, both = law.second_moment, law.mean**2, min(law.position, law.example)
    own = 1 - law.position - law.example + both
    return (
        law.mean
        + part(both * q - level)
        + part((law.position - both) * q, "batch")
        + part((law.example - both) * q, "position")
        + part(own * q, "batch", "position")
    ).requires_grad_()


def _drawn(weight: Weight, random):
    law = weight.law
    values = torch.randn(weight.shape, generator=random)
    if weight.parts:
        chunks = values.chunk(len(weight.parts), weight.axis)
        return torch.cat(
            [_of_law(chunk, part) for chunk, part in zip(chunks, weight.parts, strict=True)], weight.axis
        ).requires_grad_()
    assert law is not None
    return _of_law(values, law).requires_grad_(weight.trainable)


def _of_law(values, law: Law):
    return law.mean + math.sqrt(law.variance) * values


def _dropped(node: Node, x, random):
    shape = [1 if axis in node["shared"] else size for axis, size in enumerate(x.shape)]
    keep = torch.rand(shape, generator=random) >= node["rate"]
    return x * keep / (1 - node["rate"])


def _noise(node: Node, random):
    sd = math.sqrt(node["variance"])
    if node["kind"] == "normal":
        return node["mean"] + sd * torch.randn(node.shape, generator=random)
    return node["mean"] + sd * math.sqrt(12) * (torch.rand(node.shape, generator=random) - 0.5)


def _loss(kind, x, random, targets=None, reduction="mean"):
    if kind == "cross_entropy":
        flat = x.reshape(-1, x.shape[-1])
        if targets is None:
            targets = torch.randint(0, x.shape[-1], (len(flat),), generator=random)
        else:
            targets = targets.reshape(flat.shape if targets.is_floating_point() else (-1,))
        found = f.cross_entropy(flat, targets, reduction=reduction)
        return found.reshape(x.shape[:-1]) if reduction == "none" else found
    if kind == "binary_cross_entropy":
        labels = torch.randint(0, 2, x.shape, generator=random) * 1.0 if targets is None else targets
        return f.binary_cross_entropy_with_logits(x, labels.expand(x.shape), reduction=reduction)
    targets = torch.randn(x.shape, generator=random) if targets is None else targets.expand(x.shape)
    return f.mse_loss(x, targets, reduction=reduction)


def _backward(graph, values, loss, random):
    outputs = [values[name] for name in graph.outputs]
    if loss is not None:
        return sum(_loss(loss, output, random) for output in outputs).backward()
    starts = [
        torch.randn(output.shape, generator=random) if output.ndim else torch.ones(()) for output in outputs
    ]
    return torch.autograd.backward(outputs, starts)


def _record(found, node: Node, x, axes):
    found.setdefault(node.name, []).append(_moments(_laid(x, axes[node.name])))


def _laid(x, axes):
    """Return a value as (examples, positions, channels)."""
    atoms = [atom for axis in axes for atom in axis]
    x = x.reshape([atom.size for atom in atoms])
    order, sizes = [], []
    for role in ("batch", "position", "channel"):
        mine = [place for place, atom in enumerate(atoms) if atom.role == role]
        order += mine
        sizes.append(math.prod(atoms[place].size for place in mine))
    return x.permute(order).reshape(sizes)


def _moments(x):
    examples, positions, channels = x.shape
    at_positions, of_examples = x.sum(0), x.sum(1)
    every = at_positions.sum(0)
    own, position, example, whole = (_squares(each) for each in (x, at_positions, of_examples, every))
    apart, beside = examples * (examples - 1), positions * (positions - 1)
    found = {"q": own / x.numel(), "mean": float(every.double().sum()) / x.numel()}
    if apart:
        found["example"] = (position - own) / (apart * positions * channels)
    if beside:
        found["position"] = (example - own) / (beside * examples * channels)
    if apart and beside:
        # All pairs, less those of one example or of one position.
        found["both"] = (whole - example - position + own) / (apart * beside * channels)
    return found


def _squares(x):
    flat = x.reshape(-1)
    return float(flat @ flat)


def _averaged(found):
    return {name: _average(each) for name, each in found.items()}


def _average(each):
    names = each[0]
    columns = {name: np.asarray([moments[name] for moments in each]) for name in names}
    error = {name: float(np.std(column, ddof=1) / math.sqrt(len(each))) for name, column in columns.items()}
    return Found({name: float(np.mean(column)) for name, column in columns.items()}, error)


# What the engine says


def predicted(found: Run, name: str) -> dict[str, float]:
    """Return the predicted moments of a node's value."""
    value = found.values[name]
    assert isinstance(value, Signal), value
    return _of_places(value.covariance, value) | {"mean": value.mean}


def predicted_back(found: Run, name: str) -> dict[str, float]:
    """Return the predicted moments of the gradient with respect to a node's value."""
    value, cotangent = found.values[name], found.cotangents[name]
    return _of_places(cotangent.covariance(value.places) * cotangent.growth, value)


def _of_places(found, value):
    places = value.places
    counts = pair_counts(places, 2)
    one = np.zeros(counts.shape[1::2])
    np.fill_diagonal(one, places.share)
    same, apart = found[0, :, 0], found[0, :, 1]
    total = places.total
    result = {"q": second_moment(found, places), "example": float(np.sum(one * apart)) / total}
    if total > 1:
        pairs = total * (total - 1)
        result["position"] = (float(np.sum(counts[0, :, 0] * same)) - total * result["q"]) / pairs
        result["both"] = (float(np.sum(counts[0, :, 1] * apart)) - total * result["example"]) / pairs
    return result


def agree(graph, names, laws=None, *, draws=2500, loss=None, tolerance=GOAL, parameters=None, seed=0):
    """Assert that predictions of some nodes, and of all weights, are what a simulation finds.

    Args:
        graph: The model.
        names: Of the nodes whose values and gradients are compared.
        laws: Of the inputs.
        draws: Networks that are simulated, at most; as many as it takes to tell.
        loss: What gradients are of.
        tolerance: Of second moments, as shares of E[x^2]; of means, of its root.
        parameters: Of E[dw^2] of weights, by a share of it; the same number unless told.
    """
    parameters = parameters or tolerance
    found = run(graph, laws or {}, loss=loss)
    precision = _ENOUGH * min(tolerance, parameters)
    truth = simulated(graph, laws, draws=draws, loss=loss, names=names, precision=precision, seed=seed)
    wrong = []
    for name in names:
        wrong += _different(f"{name} forward", predicted(found, name), truth.forward[name], tolerance)
        if name in truth.backward:
            assert name in found.cotangents, f"no gradient of {name}: {found.lost.get(name)}"
            wrong += _different(
                f"{name} backward", predicted_back(found, name), truth.backward[name], tolerance
            )
    for name, measured in truth.parameters.items():
        parts = found.context.gradients.get(name, [])
        total = {"q": sum(part.second_moment for part in parts)}
        wrong += _different(f"weight {name}", total, measured, parameters)
    assert not wrong, "\n".join(wrong)


def _different(what, predicted, measured: Found, tolerance):
    wrong = []
    for name, truth in measured.value.items():
        if name not in predicted:
            continue
        scale, error = measured.scale(name), measured.error[name]
        assert error < _COARSE * tolerance * scale, (
            f"{what} {name}: the simulation is too coarse, {error / scale:.4f}"
        )
        if abs(predicted[name] - truth) > tolerance * scale + 2 * error:
            wrong.append(
                f"{what} {name}: predicted {predicted[name] / scale:.4f}, measured {truth / scale:.4f} "
                f"+- {error / scale:.4f} of {scale:.4g}"
            )
    return wrong


def around(make, shape, law, **options):
    """Assert the same of a change of shape between layers with weights; `make` gets a maker and a node."""
    m = Maker()
    x = m.input(*shape)
    before = m.linear(x, shape[-1])
    y = make(m, before)
    after = m.linear(m.apply("tanh", y), shape[-1])
    agree(m.graph(after), [before, y, after], {x: law}, **options)
