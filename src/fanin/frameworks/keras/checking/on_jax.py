"""A pass on JAX: zeros are added to the values that are looked at, and the gradients of these are theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from fanin.frameworks.jax.checking.passes import run_a_few_times
from fanin.frameworks.jax.checking.reach import reached
from fanin.frameworks.keras.checking.passes import Passed, Program, Recorder, arrays


class _Adding(Recorder):
    """A tape that adds numbers to the values that it takes."""

    def __init__(self, added: Sequence[Any]) -> None:
        super().__init__()
        self.added = added

    def take(self, value: Any) -> tuple[int, Any]:
        """Keep a value; return its number, and its sum with the number that is added."""
        number, _ = super().take(value)
        return number, value + self.added[number]


class OnJax:
    """Runs a program, which is compiled once.

    Args:
        program: The model and its loss.
        trained: The variables that are trained.
    """

    def __init__(self, program: Program, trained: Sequence[Any]) -> None:
        self._program = program
        described = [jax.ShapeDtypeStruct(variable.value.shape, variable.value.dtype) for variable in trained]
        closed, (_, shapes) = jax.make_jaxpr(self._shapes, return_shape=True)(described)
        bits = reached(closed, [1 << n for n in range(len(described))])[0]
        self._reached = [bool(bits >> n & 1) for n in range(len(described))]
        self._added = [np.zeros(one.shape, one.dtype) for one in shapes]
        self._both = run_a_few_times(jax.value_and_grad(self._forward, argnums=(0, 1), has_aux=True))

    def __call__(self, values: Sequence[Any]) -> Passed:
        """Return what a pass leaves.

        Args:
            values: Of the variables that are trained.
        """
        (loss, (output, taken, kept)), (gradients, back) = self._both(list(values), self._added)
        known = [one if real else None for one, real in zip(gradients, self._reached, strict=True)]
        (seen,) = arrays([output])
        return Passed(float(loss), seen, arrays(taken), arrays(back), arrays(kept), arrays(known))

    def _shapes(self, values: Sequence[Any]) -> tuple[Any, list[Any]]:
        tape = Recorder()
        loss, _ = self._program(values, tape)
        return loss, tape.taken

    def _forward(self, values: Sequence[Any], added: Sequence[Any]) -> tuple[Any, Any]:
        tape = _Adding(added)
        loss, output = self._program(values, tape)
        return loss, (output, tape.taken, tape.kept)
