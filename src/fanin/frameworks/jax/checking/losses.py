"""The loss: by a name or the user's own, and what it was told to be."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from fanin.errors import FaninError, users_code
from fanin.frameworks.jax.checking.pairing import pairs_all
from fanin.frameworks.jax.checking.places import places_of
from fanin.frameworks.jax.checking.watched import Told
from fanin.frameworks.jax.graph.trace import Call
from fanin.frameworks.units import Array
from fanin.frameworks.vitals.inputs import random_target
from fanin.graph.signal import SignalGraph
from fanin.rules.vitals import Loss
from fanin.theory.recognition import recognize

Given = str | Callable[..., Any] | None
Function = Callable[[Sequence[Any], Any], jax.Array]
"""From outputs and targets to a number."""


def _cross_entropy(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    logs = jax.nn.log_softmax(outputs)
    if jnp.issubdtype(targets.dtype, jnp.floating):
        return -jnp.mean(jnp.sum(targets * logs, -1))
    return -jnp.mean(jnp.take_along_axis(logs, targets.reshape(*outputs.shape[:-1], 1), -1))


def _binary_cross_entropy(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    labels = targets.reshape(outputs.shape).astype(outputs.dtype)
    return jnp.mean(jnp.logaddexp(0, outputs) - labels * outputs)


def _mse(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.mean(jnp.square(outputs - targets.reshape(outputs.shape).astype(outputs.dtype)))


NAMED: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy": _binary_cross_entropy,
    "mse": _mse,
}
"""Losses by name, of logits, the classes along the last axis."""
_PROBABILITIES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "sigmoid": jax.nn.sigmoid,
}
"""What makes probabilities, or their logarithms, of logits."""
_LARGEST = 1 << 22
"""Outputs for which a loss is told by its values."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a model returns.

    Args:
        leaves: Descriptions of its arrays.
        structure: What they are the leaves of.
        main: Which of them a loss by name takes.
        ends: The function that makes that one.
        own: What it is, if it is a loss.
    """

    leaves: Sequence[Any]
    structure: Any
    main: int
    ends: str = ""
    own: Told | None = None


@dataclass(frozen=True, eq=False)
class Objective:
    """A number that is made of a model's outputs.

    Args:
        function: From the list of the outputs' arrays and the targets to the number.
        target: The targets, arrays in any structure.
        told: What it is.
        program: It as a program of the outputs, then the arrays of the targets.
    """

    function: Function
    target: Any
    told: Told
    program: Any


def objective(loss: Given, outputs: Outputs, target: Any, random: np.random.Generator) -> Objective:
    """Return what gradients are of.

    Args:
        loss: A function of (outputs, targets), a name of `NAMED`, or None: the output itself if it is one
            number, else the outputs with random weights.
        outputs: What the model returns.
        target: The targets; None where there are none.
        random: Of random targets and weights.

    Raises:
        FaninError: There is no such loss, or it fails or makes no number.
    """
    function, target, told = _chosen(loss, outputs, target, random)
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    with users_code(f"The loss {name} fails"):
        flat, structure = jax.tree.flatten(target)
        described = [jax.ShapeDtypeStruct(np.shape(one), jnp.asarray(one).dtype) for one in flat]

        def of_leaves(outputs: Sequence[Any], leaves: Sequence[Any]) -> Any:
            return function(outputs, jax.tree.unflatten(structure, leaves))

        program = jax.make_jaxpr(of_leaves)(list(outputs.leaves), described)
    told = told or _recognized(program, outputs.leaves, described) or _by_values(function, outputs, target)
    if told.kind in ("mse", "other"):
        told = replace(told, broadcast=pairs_all(program, len(outputs.leaves)))
    return Objective(function, target, told, program)


def _chosen(
    loss: Given, outputs: Outputs, target: Any, random: np.random.Generator
) -> tuple[Function, Any, Told | None]:
    """Return the loss, the targets, and what it is if that is clear."""
    main, shape = outputs.main, tuple(outputs.leaves[outputs.main].shape)
    if isinstance(loss, str):
        if loss not in NAMED:
            expected = f"one of {', '.join(NAMED)}, or a function (outputs, targets)"
            raise FaninError(f"There is no loss {loss!r}.", expected=expected)
        target = random_target(loss, shape, random) if target is None else target
        named = NAMED[loss]
        of_main = _as_number(lambda values, target: named(values[main], jnp.asarray(target)))
        return of_main, target, Told(cast(Loss, loss), output=main)
    if loss is not None:
        one = target is None and _takes_one(loss)

        def users(values: Sequence[Any], target: Any) -> Any:
            whole = jax.tree.unflatten(outputs.structure, list(values))
            return loss(whole) if one else loss(whole, target)

        return _as_number(users), target, None
    if not shape:
        return _as_number(lambda values, target: values[main]), target, outputs.own or Told(output=main)
    weights = random.standard_normal(shape).astype(np.float32)
    weighted = _as_number(lambda values, weights: jnp.sum(values[main] * weights) / shape[0])
    return weighted, weights, Told("none", output=main)


def _takes_one(loss: Callable[..., Any]) -> bool:
    try:
        needed = [
            one
            for one in inspect.signature(loss).parameters.values()
            if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        return False
    return len(needed) == 1


def _as_number(function: Callable[[Sequence[Any], Any], Any]) -> Function:
    def number(values: Sequence[Any], target: Any) -> jax.Array:
        found = function(values, target)
        if not hasattr(found, "dtype") or not jnp.issubdtype(found.dtype, jnp.floating):
            raise FaninError(
                f"The loss returns {type(found).__name__}.",
                expected="an array of one number",
                fix="return jnp.mean(loss)",
            )
        return jnp.mean(found.astype(jnp.float32))

    return number


def _recognized(program: Any, outputs: Sequence[Any], targets: Sequence[Any]) -> Told | None:
    """Return what a loss is that is made of operations; None where it is none that is known."""
    arrays = [*outputs, *targets]
    names = [*(f"output{n}" for n in range(len(outputs))), *(f"target{n}" for n in range(len(targets)))]
    graph = recognize(places_of(Call(lambda values, given: None, (), arrays, names), program).graph)
    node = graph[graph.outputs[0]]
    if node.op != "loss":
        return None
    read = [names.index(found) for name in node.inputs for found in _inputs(graph, name)]
    of = next((place for place in read if place < len(outputs)), None)
    return Told(node["kind"], bool(node.get("logits", True)), node.get("axis", -1), of)


def _by_values(function: Function, outputs: Outputs, target: Any) -> Told:
    """Return what a loss of probabilities is: it has the values of a known one of their logits."""
    main = outputs.main
    shape, made = tuple(outputs.leaves[main].shape), _PROBABILITIES.get(outputs.ends)
    if made is None or math.prod(shape) > _LARGEST or target_array(target) is None:
        return Told()
    logits = jnp.asarray(np.random.default_rng(0).standard_normal(shape), outputs.leaves[main].dtype)
    given = [made(logits) if n == main else jnp.zeros(x.shape, x.dtype) for n, x in enumerate(outputs.leaves)]
    value = float(function(given, target))
    for kind in ("cross_entropy", "binary_cross_entropy"):
        with contextlib.suppress(TypeError, ValueError):  # targets of another shape
            known = float(NAMED[kind](logits, jnp.asarray(target)))
            if math.isclose(value, known, rel_tol=1e-3):
                return Told(kind, logits=False, output=main)
    return Told()


def _inputs(graph: SignalGraph, name: str) -> list[str]:
    node = graph[name]
    if node.op == "input":
        return [name]
    return [found for inner in node.inputs for found in _inputs(graph, inner)]


def counted(of: Objective, main: int, labels: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Return labels without those that are no classes and that a loss leaves out: outputs have no gradient.

    Args:
        of: The loss.
        main: The output that it takes.
        labels: The numbers of classes.
        shape: Of the output.
        axis: The axis of the classes there.
    """
    wrong = (labels < 0) | (labels >= shape[axis])
    if not wrong.any() or wrong.size * shape[axis] != math.prod(shape):
        return labels
    leaves = [jnp.zeros(one.aval.shape, one.aval.dtype) for one in of.program.jaxpr.invars]
    outputs = leaves[: len(leaves) - len(jax.tree.leaves(of.target))]

    def lost(output: jax.Array) -> jax.Array:
        return of.function([output if n == main else one for n, one in enumerate(outputs)], of.target)

    value, gradient = jax.value_and_grad(lost)(outputs[main])
    parts = (np.asarray(gradient) != 0).any(axis).reshape(wrong.shape)
    return labels[~wrong | parts] if math.isfinite(value) else labels


def at_zero(of: Objective) -> float | None:
    """Return what a loss that is not known is where all outputs are 0; None where nobody knows.

    Args:
        of: The loss.
    """
    if of.told.kind != "other":
        return None
    leaves = [jnp.zeros(one.aval.shape, one.aval.dtype) for one in of.program.jaxpr.invars]
    with contextlib.suppress(Exception):  # whatever a user's loss does with what it has not expected
        return float(of.function(leaves[: len(leaves) - len(jax.tree.leaves(of.target))], of.target))
    return None


def target_array(target: Any) -> Array | None:
    """Return targets as one array; None where they are several or none."""
    leaves = jax.tree.leaves(target)
    return np.asarray(leaves[0]) if len(leaves) == 1 else None
