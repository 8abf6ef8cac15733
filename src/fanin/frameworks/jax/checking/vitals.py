"""A JAX model's vitals: its program run once forward and back, and tiny steps where gradients are 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fanin.errors import FaninError, users_code
from fanin.frameworks import units
from fanin.frameworks.given import Given
from fanin.frameworks.jax.checking import batch, losses
from fanin.frameworks.jax.checking.passes import Passed, Passes
from fanin.frameworks.jax.checking.places import At
from fanin.frameworks.jax.checking.prepared import Prepared, prepared
from fanin.frameworks.jax.checking.reach import reached
from fanin.frameworks.jax.checking.watched import Watched
from fanin.frameworks.jax.graph.trace import Call
from fanin.frameworks.units import Array
from fanin.frameworks.vitals.inputs import as_array, target_of
from fanin.frameworks.vitals.layers import Seen, axes_like, layers_of
from fanin.frameworks.vitals.parameters import Held, parameters_of
from fanin.frameworks.vitals.steps import unlocked
from fanin.rules.vitals import Layer, Output, Target, Vitals

Gradients = Sequence[Array | None]


def vitals(
    model: Any,
    x: Any,
    y: Any,
    *,
    loss: losses.Given,
    given: Given | None,
    seed: int,
    options: Mapping[str, Any],
) -> Vitals:
    """Return what a model does at step 0.

    Args:
        model: The model, or a function f(params, *inputs).
        x: Its inputs, if they are given.
        y: The targets.
        loss: A function of (outputs, targets), a name of `losses.NAMED`, or None.
        given: What inputs are drawn from, if they are not given.
        seed: Of what is drawn.
        options: As for `fanin.frameworks.jax.graph.signal_graph`.

    Raises:
        FaninError: The model or the loss fails, or nothing depends on the parameters.
    """
    random = np.random.default_rng(seed)
    made = prepared(model, x, given, seed, random, options)
    outputs, structure = jax.tree.flatten(made.shapes)
    main = batch.main_output(made.shapes, made.call.name)
    target = None if y is None else jax.tree.map(as_array, y)
    ends, own = made.watching.ends_in(main), made.watching.own_loss(main)
    of = losses.objective(loss, losses.Outputs(outputs, structure, main, ends, own), target, random)
    main = main if of.told.output is None else of.told.output
    passed, gradients, zero = _passed(made, of, main)
    layers = layers_of(_seen(made, passed))
    return Vitals(
        made.call.name,
        "jax",
        layers,
        parameters_of(list(_held(made, gradients, zero))),
        made.described_inputs(described=given is not None),
        _output(made, passed, of, main, layers),
        _target(made, of, passed),
        made.dtype,
        made.examples,
        notes=made.call.notes,
    )


def _passed(
    made: Prepared, of: losses.Objective, main: int
) -> tuple[Passed, Gradients, list[tuple[float, ...]]]:
    """Return a pass, the gradients of parameters, and their shares of exact zeros after tiny steps."""
    trained, arguments = made.trained, [*made.values, *made.inputs]
    passes = Passes(made.closed, made.watching, of, main, trained)
    reaches = _reached(made, of)
    if not reaches.intersection(trained):
        raise FaninError(
            "The loss does not depend on the model's parameters by operations that have a derivative.",
            expected="a loss that is made of the model's outputs",
        )

    def known(gradients: Sequence[Array]) -> Gradients:
        return [one if place in reaches else None for place, one in zip(trained, gradients, strict=True)]

    with users_code(f"{made.call.name} fails"):
        passed = passes([made.values[n] for n in trained], arguments)
    gradients = known(passed.gradients)
    zero = unlocked(
        [np.asarray(made.values[n]) for n in trained],
        gradients,
        lambda values: known(passes(values, arguments).gradients),
    )
    return passed, gradients, zero


def _reached(made: Prepared, of: losses.Objective) -> set[int]:
    """Return the variables that the loss depends on by operations that pass a gradient."""
    count = len(made.call.leaves)
    given = [1 << n for n in range(count)] + [0] * len(made.inputs)
    outputs = reached(made.closed, given)
    (bits,) = reached(of.program, [*outputs, *[0] * (len(of.program.jaxpr.invars) - len(outputs))])
    return {n for n in range(count) if bits >> n & 1}


def _seen(made: Prepared, passed: Passed) -> Iterator[Seen]:
    before: list[Seen] = []

    def array(at: At | None) -> Array | None:
        if at is None:
            return None
        return passed.values[at] if at.path else np.asarray([*made.values, *made.inputs][at.number])

    for one in made.watching.watched:
        value = passed.values[one.at]
        seen = Seen(
            _named(one, before, made.call),
            one.type or made.call.type,
            one.kind,
            value,
            passed.back[one.at],
            one.axes or axes_like(value.shape, before),
            one.function,
            array(one.read),
            array(one.kernel),
            one.kernel_axes,
            value if one.kind == "attention" else None,
            one.where,
        )
        before.append(seen)
        yield seen


def _named(one: Watched, before: Sequence[Seen], call: Call) -> str:
    """Return the name of a layer; a function at the top of a program without modules is the last layer's."""
    last = next((seen.name for seen in reversed(before) if seen.kind == "weights"), "")
    return one.name or (last if not call.type and last else call.name)


def _held(made: Prepared, gradients: Gradients, zero: Sequence[tuple[float, ...]]) -> Iterator[Held]:
    for n, gradient, shares in zip(made.trained, gradients, zero, strict=True):
        name = made.call.leaves[n].name
        layer = name.rpartition(".")[0] or (made.call.name if made.call.type else name)
        yield Held(name, layer, np.asarray(made.values[n]), True, gradient, shares)


def _output(
    made: Prepared, passed: Passed, of: losses.Objective, main: int, layers: Sequence[Layer]
) -> Output:
    last = [one for one in made.watching.watched if one.kind == "weights"][-1:]
    names = [layer.name for layer in layers if layer.kind == "weights"]
    _, varied = units.similarity(passed.output)
    return Output(
        units.spread(passed.output),
        tuple(passed.output.shape),
        None if of.told.kind == "none" else passed.loss,
        of.told.kind,
        made.watching.ends_in(main) if of.told.predictions is None else "",
        names[-1] if names else "",
        varied,
        tied=any(made.watching.is_tied(one.at) for one in last),
        logits=of.told.logits,
    )


def _target(made: Prepared, of: losses.Objective, passed: Passed) -> Target | None:
    array = None if of.told.kind == "none" else losses.target_array(of.target)
    at = of.told.targets
    if at is not None and not at.path:
        array = np.asarray([*made.values, *made.inputs][at.number])
    if array is None:
        return None
    return target_of(of.told.kind, array, tuple(passed.output.shape), of.told.axis)
