"""A JAX model's vitals: its program run once forward and back, and tiny steps where gradients are 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from fanin.frameworks import units
from fanin.frameworks.jax.checking.losses import at_zero, counted, target_array
from fanin.frameworks.jax.checking.passes import Passed
from fanin.frameworks.jax.checking.subject import Subject
from fanin.frameworks.jax.graph.trace import Call
from fanin.frameworks.vitals.inputs import target_of
from fanin.frameworks.vitals.layers import layers_of
from fanin.frameworks.vitals.means import mean_of
from fanin.frameworks.vitals.parameters import Held, parameters_of
from fanin.frameworks.vitals.steps import Gradients, unlocked
from fanin.rules.vitals import Layer, Output, Parameter, Spread, Target, Vitals


def vitals_of(subject: Subject, *, described: bool) -> Vitals:
    """Return what a model does at step 0.

    Args:
        subject: The model with a batch and a loss.
        described: Whether the inputs are drawn, not the user's data.

    Raises:
        FaninError: It fails, or the loss does not depend on its parameters.
    """
    if subject.made.unmade:
        return _unmade(subject, described=described)
    made, values = subject.made, subject.values
    passed, gradients = subject.run(values)
    zero = unlocked(values, gradients, lambda changed: subject.run(changed)[1])
    layers = layers_of(subject.seen(passed))
    return Vitals(
        made.call.name,
        "jax",
        layers,
        parameters_of(list(_held(subject, gradients, zero))),
        made.described_inputs(described=described),
        _output(subject, passed, layers),
        _target(subject, passed),
        made.dtype,
        made.examples,
        dropped=made.watching.dropped,
        notes=made.call.notes,
    )


def _unmade(subject: Subject, *, described: bool) -> Vitals:
    """Return the vitals of a model that cannot run, as parameters are only described."""
    made, nothing = subject.made, Spread(0.0, 0.0, 0.0)
    unmade = set(made.unmade)
    found = tuple(
        Parameter(
            leaf.name,
            tuple(leaf.value.shape),
            _layer(made.call, leaf.name),
            nothing,
            trained=leaf.trainable,
            meta=leaf.name in unmade,
        )
        for leaf in made.call.leaves
    )
    return Vitals(
        made.call.name,
        "jax",
        (),
        found,
        made.described_inputs(described=described),
        Output(nothing, ()),
        dtype=made.dtype,
        examples=made.examples,
        notes=(*made.call.notes, "nothing was run: parameters have no values"),
    )


def _layer(call: Call, name: str) -> str:
    return name.rpartition(".")[0] or (call.name if call.type else name)


def _held(subject: Subject, gradients: Gradients, zero: Sequence[tuple[float, ...]]) -> Iterator[Held]:
    call, values = subject.made.call, subject.made.values
    for n, gradient, shares in zip(subject.made.trained, gradients, zero, strict=True):
        name = call.leaves[n].name
        yield Held(name, _layer(call, name), np.asarray(values[n]), True, gradient, shares)


def _output(subject: Subject, passed: Passed, layers: Sequence[Layer]) -> Output:
    watching, told = subject.made.watching, subject.of.told
    last = [one for one in watching.watched if one.kind == "weights"][-1:]
    names = [layer.name for layer in layers if layer.kind == "weights"]
    _, varied = units.similarity(passed.output)
    return Output(
        units.spread(passed.output),
        tuple(passed.output.shape),
        None if told.kind == "none" else passed.loss,
        told.kind,
        watching.ends_in(subject.main) if told.predictions is None else "",
        names[-1] if names else "",
        varied,
        tied=any(watching.is_tied(one.at) for one in last),
        logits=told.logits,
        mean=_mean(subject, passed),
        before=watching.before(subject.main) if told.predictions is None else "",
        zero=at_zero(subject.of),
    )


def _mean(subject: Subject, passed: Passed) -> float | None:
    """Return the mean of the loss that compares the output itself, if it is known."""
    told, target = subject.of.told, target_array(subject.of.target)
    if target is None or told.kind == "none" or told.predictions is not None or told.targets is not None:
        return None
    return mean_of(told.kind, passed.output, target, told.axis, logits=told.logits)


def _target(subject: Subject, passed: Passed) -> Target | None:
    told = subject.of.told
    array = None if told.kind == "none" else target_array(subject.of.target)
    if told.targets is not None and not told.targets.path:
        array = subject.array(told.targets)
    if array is None or (told.kind == "mse" and array.size != passed.output.size):  # as classes, made one-hot
        return None
    shape = tuple(passed.output.shape)
    if told.kind == "cross_entropy" and array.dtype.kind in "iu":
        array = counted(subject.of, subject.main, array, shape, told.axis)
    found = target_of(told.kind, array.reshape(shape) if told.broadcast else array, shape, told.axis)
    return found and replace(found, broadcast=told.broadcast)
