"""A Keras model's vitals: one pass forward and back, and tiny steps where gradients are 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import keras
import numpy as np

from fanin.frameworks import units
from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.keras.checking.losses import is_broadcast
from fanin.frameworks.keras.checking.passes import Passed
from fanin.frameworks.keras.checking.subject import Subject, array_of
from fanin.frameworks.keras.inventory import inventory
from fanin.frameworks.units import Array
from fanin.frameworks.vitals.declared import declared
from fanin.frameworks.vitals.inputs import input_of, target_of
from fanin.frameworks.vitals.layers import layers_of
from fanin.frameworks.vitals.means import mean_of
from fanin.frameworks.vitals.parameters import Held, parameters_of
from fanin.frameworks.vitals.steps import unlocked
from fanin.rules.vitals import Input, Layer, Output, Target, Vitals


def vitals_of(subject: Subject, *, described: bool) -> Vitals:
    """Return what a model does at step 0; its variables, seeds and statistics stay as they are.

    Args:
        subject: The model with a batch and a loss.
        described: Whether the inputs are drawn, not the user's data.

    Raises:
        FaninError: It or the loss fails, or nothing depends on its variables.
    """
    program, values = subject.program, subject.values
    passed = subject.run(values)
    layers = layers_of(subject.seen(passed))
    output = _output(subject, passed, layers)
    zero = unlocked(values, passed.gradients, lambda changed: subject.run(changed).gradients)
    held = list(_held(subject, values, passed, zero))
    found = Vitals(
        type(subject.model).__name__,
        "keras",
        layers,
        parameters_of(held),
        tuple(_inputs(subject, described=described)),
        output,
        _target(subject, passed),
        program.trained[0].dtype if program.trained else "float32",
        program.examples,
        dropped=tuple(program.watch.dropped.values()),
    )
    arrays = {one.name: one.value for one in held}
    return declared(found, lambda: inventory(subject.model), arrays.__getitem__)


def _inputs(subject: Subject, *, described: bool) -> Iterator[Input]:
    for name, value in subject.program.inputs.items():
        yield input_of(name, np.asarray(value), described=described)


def _held(
    subject: Subject, values: Sequence[Array], passed: Passed, zero: Sequence[tuple[float, ...]]
) -> Iterator[Held]:
    model, program = subject.model, subject.program
    names = dict(zip(map(id, model.variables), canonical_paths(model), strict=True))
    weights = {id(variable) for variable in model.weights}

    def layer(name: str) -> str:
        return name.rpartition("/")[0] or type(model).__name__

    for variable, value, gradient, shares in zip(
        program.trained, values, passed.gradients, zero, strict=True
    ):
        name = names[id(variable)]
        yield Held(name, layer(name), value, True, gradient, shares)
    for variable in program.fixed:
        if id(variable) in weights:
            name = names[id(variable)]
            yield Held(name, layer(name), array_of(variable), False)


def _output(subject: Subject, passed: Passed, layers: Sequence[Layer]) -> Output:
    program = subject.program
    names = [layer.name for layer in layers if layer.kind == "weights"]
    last = [event for event in subject.events if event.kind == "weights"][-1:]
    parts = subject.model._flatten_layers()
    tables = {id(layer.embeddings) for layer in parts if isinstance(layer, keras.layers.Embedding)}
    _, varied = units.similarity(passed.output)
    term = program.terms[program.main] if program.terms else None
    logits = term is None or term.logits
    target = None if program.target is None else np.asarray(program.target)
    return Output(
        units.spread(passed.output),
        tuple(passed.output.shape),
        None if program.kind == "none" else passed.loss,
        program.kind,
        program.ends,
        names[-1] if names else "",
        varied,
        tied=any(event.bases & tables for event in last),
        logits=logits,
        mean=None if target is None else mean_of(program.kind, passed.output, target, logits=logits),
        before=program.before,
        zero=program.at_zero(tuple(passed.output.shape)),
    )


def _target(subject: Subject, passed: Passed) -> Target | None:
    program = subject.program
    if program.target is None:
        return None
    target, shape, term = np.asarray(program.target), tuple(passed.output.shape), program.terms[program.main]
    if term is not None and term.ignored is not None:
        target = target[target != term.ignored]
    if term is None or not is_broadcast(term, target.shape, shape):
        return target_of(program.kind, target, shape)
    found = target_of("mse", target, shape)
    return found and replace(found, broadcast=True)
