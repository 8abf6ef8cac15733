"""A pass on TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from fanin.frameworks.keras.checking.passes import Passed, Program, Recorder, arrays


def run(program: Program, trained: Sequence[Any], values: Sequence[Any]) -> Passed:
    """Return what a pass leaves.

    Args:
        program: The model and its loss.
        trained: The variables that are trained.
        values: Their values.
    """
    tape = Recorder()
    given = [
        tf.convert_to_tensor(value, variable.dtype) for value, variable in zip(values, trained, strict=True)
    ]
    with tf.GradientTape() as gradient:
        gradient.watch(given)
        loss, output = program(given, tape)
    found = gradient.gradient(loss, [*given, *tape.taken])
    dense = arrays([None if one is None else tf.convert_to_tensor(one) for one in found])
    gradients, back = dense[: len(given)], dense[len(given) :]
    (value, seen), (taken, kept) = arrays([loss, output]), map(arrays, (tape.taken, tape.kept))
    return Passed(float(value), seen, taken, back, kept, gradients)
