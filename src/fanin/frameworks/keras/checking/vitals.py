"""A Keras model's vitals: one pass forward and back, and tiny steps where gradients are 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import keras
import numpy as np

from fanin.errors import FaninError
from fanin.frameworks import units
from fanin.frameworks.given import Given
from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.keras.checking import batch
from fanin.frameworks.keras.checking.attention import weights_of_attention
from fanin.frameworks.keras.checking.passes import Passed, passes_of
from fanin.frameworks.keras.checking.program import Program
from fanin.frameworks.keras.checking.watch import Event
from fanin.frameworks.keras.signals import channel_axis
from fanin.frameworks.units import Array
from fanin.frameworks.vitals.inputs import input_of, target_of
from fanin.frameworks.vitals.layers import Seen, axes_like, layers_of, where_of
from fanin.frameworks.vitals.parameters import Held, parameters_of
from fanin.frameworks.vitals.steps import unlocked
from fanin.rules.vitals import Layer, Loss, Output, Target, Vitals


def vitals(model: keras.Model, x: Any, y: Any, *, loss: Any, given: Given | None, seed: int) -> Vitals:
    """Return what a model does at step 0; its variables, seeds and statistics stay as they are.

    Args:
        model: A built model.
        x: Its inputs, if they are given.
        y: The targets.
        loss: A loss of Keras, its name, several as `compile` takes them, or None: what the model was compiled
            with, else what its layers add, else the outputs with random weights.
        given: What inputs are drawn from, if they are not given.
        seed: Of what is drawn.

    Raises:
        FaninError: The model is not built, it or the loss fails, or nothing depends on its variables.
    """
    batch.check_built(model)
    x = x if given is None else batch.drawn_inputs(model, given, np.random.default_rng(seed))
    program = Program(model, x, y, loss, seed)
    run = passes_of(program, program.trained)
    values = [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in program.trained]
    passed = run(values)
    if values and all(one is None for one in passed.gradients):
        raise FaninError(
            "The loss does not depend on the model's variables by operations that have a derivative.",
            expected="a loss that is made of the model's outputs",
        )
    events, ends = list(program.watch.events), program.ends
    zero = unlocked(values, passed.gradients, lambda changed: run(changed).gradients)
    layers = layers_of(_seen(program, events, passed, values))
    return Vitals(
        type(model).__name__,
        "keras",
        layers,
        parameters_of(list(_held(model, program, values, passed.gradients, zero))),
        tuple(
            input_of(name, np.asarray(value), described=given is not None)
            for name, value in program.inputs.items()
        ),
        _output(model, program, passed, ends, events, layers),
        _target(program, passed),
        program.trained[0].dtype if program.trained else "float32",
        program.examples,
    )


def _seen(
    program: Program, events: Sequence[Event], passed: Passed, values: Sequence[Array]
) -> Iterator[Seen]:
    before: list[Seen] = []
    known = {id(variable): value for variable, value in zip(program.trained, values, strict=True)}

    def kernel(event: Event) -> Array | None:
        if isinstance(event.kernel, keras.Variable):
            value = known.get(id(event.kernel))
            return np.asarray(keras.ops.convert_to_numpy(event.kernel.value)) if value is None else value
        return None if event.kernel is None else passed.kept[event.kernel]

    for event in events:
        value = passed.values[event.taken]
        read = event.kept.get("read")
        place = program.places.get(id(event.layer))
        seen = Seen(
            event.path or type(program.model).__name__,
            type(program.model).__name__ if place is None else place.type,
            event.kind,
            value,
            passed.back[event.taken],
            event.axes or axes_like(value.shape, before, channel_axis(value.ndim)),
            event.function,
            None if read is None else passed.kept[read],
            kernel(event),
            event.kernel_axes,
            _attention(event, passed),
            where_of(type(event.layer)),
        )
        before.append(seen)
        yield seen


def _attention(event: Event, passed: Passed) -> Array | None:
    if event.kind != "attention":
        return None
    if "weights" in event.kept:
        return passed.values[event.kept["weights"]]
    arrays = {name: passed.kept[number] for name, number in event.kept.items()}
    return weights_of_attention(arrays.pop("query"), arrays.pop("key"), **arrays, **event.options)


def _held(
    model: keras.Model,
    program: Program,
    values: Sequence[Array],
    gradients: Sequence[Array | None],
    zero: Sequence[tuple[float, ...]],
) -> Iterator[Held]:
    names = dict(zip(map(id, model.variables), canonical_paths(model), strict=True))
    weights = {id(variable) for variable in model.weights}

    def layer(name: str) -> str:
        return name.rpartition("/")[0] or type(model).__name__

    for variable, value, gradient, shares in zip(program.trained, values, gradients, zero, strict=True):
        name = names[id(variable)]
        yield Held(name, layer(name), value, True, gradient, shares)
    for variable in program.fixed:
        if id(variable) in weights:
            name, value = names[id(variable)], np.asarray(keras.ops.convert_to_numpy(variable.value))
            yield Held(name, layer(name), value, False)


def _output(
    model: keras.Model,
    program: Program,
    passed: Passed,
    ends: str,
    events: Sequence[Event],
    layers: Sequence[Layer],
) -> Output:
    names = [layer.name for layer in layers if layer.kind == "weights"]
    last = [event for event in events if event.kind == "weights"][-1:]
    tables = {
        id(layer.embeddings) for layer in model._flatten_layers() if isinstance(layer, keras.layers.Embedding)
    }
    _, varied = units.similarity(passed.output)
    term = program.terms[program.main] if program.terms else None
    return Output(
        units.spread(passed.output),
        tuple(passed.output.shape),
        None if program.kind == "none" else passed.loss,
        cast(Loss, program.kind),
        ends,
        names[-1] if names else "",
        varied,
        tied=any(event.bases & tables for event in last),
        logits=term is None or term.logits,
    )


def _target(program: Program, passed: Passed) -> Target | None:
    if program.target is None:
        return None
    return target_of(cast(Loss, program.kind), np.asarray(program.target), tuple(passed.output.shape))
