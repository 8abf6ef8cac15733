"""A JAX model with a batch and a loss: passes with values of its parameters, and what is seen in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from fanin.errors import FaninError, users_code
from fanin.frameworks.given import Given
from fanin.frameworks.jax.checking import batch, losses
from fanin.frameworks.jax.checking.passes import Passed, Passes
from fanin.frameworks.jax.checking.places import At
from fanin.frameworks.jax.checking.prepared import Prepared, prepared
from fanin.frameworks.jax.checking.reach import reached
from fanin.frameworks.jax.checking.watched import Watched
from fanin.frameworks.units import Array, as_floats
from fanin.frameworks.vitals.inputs import as_array
from fanin.frameworks.vitals.layers import Seen, axes_like
from fanin.frameworks.vitals.steps import Gradients


@dataclass(frozen=True, eq=False)
class Subject:
    """A model with a batch and a loss.

    Args:
        made: The model with its batch.
        of: The loss.
        main: Which output is looked at.
    """

    made: Prepared
    of: losses.Objective
    main: int

    @property
    def values(self) -> list[Array]:
        """Values of the parameters that are trained."""
        return [np.asarray(self.made.values[n]) for n in self.made.trained]

    def array(self, at: At) -> Array:
        """Return a variable or an input of the program."""
        return np.asarray([*self.made.values, *self.made.inputs][at.number])

    def named(self, name: str) -> Array:
        """Return the values of a parameter."""
        leaves = zip(self.made.call.leaves, self.made.values, strict=False)
        return next(np.asarray(value) for leaf, value in leaves if leaf.name == name)

    def run(self, values: Sequence[Array]) -> tuple[Passed, Gradients]:
        """Return what a pass leaves, and the gradients of the parameters; None for those without one.

        Args:
            values: Of the parameters that are trained.

        Raises:
            FaninError: Parameters have no values, or the model fails.
        """
        if self.made.unmade:
            raise FaninError(
                f"The parameters of {self.made.call.name} are only described, so nothing can be measured.",
                fix="start=, a function of a random key that makes them, or real arrays",
            )
        with users_code(f"{self.made.call.name} fails"):
            passed = self._passes(values, [*self.made.values, *self.made.inputs])
        paired = zip(self.made.trained, passed.gradients, strict=True)
        return passed, [one if place in self._reached else None for place, one in paired]

    def seen(self, passed: Passed) -> Iterator[Seen]:
        """Yield what went through the layers in a pass."""
        before: list[Seen] = []

        def array(at: At | None) -> Array | None:
            if at is None:
                return None
            return passed.values[at] if at.path else self.array(at)

        for one in self.made.watching.watched:
            value = passed.values[one.at]
            seen = Seen(
                self._name(one, before),
                one.type or self.made.call.type,
                one.kind,
                value,
                passed.back[one.at],
                one.axes or axes_like(value.shape, before),
                one.function,
                array(one.read),
                array(one.kernel),
                one.kernel_axes,
                _logits(value, array(one.read)) if one.kind == "attention" else None,
                one.where,
            )
            before.append(seen)
            yield seen

    def _name(self, one: Watched, before: Sequence[Seen]) -> str:
        """Return the name of a layer; what is at the top of a program without modules is the last one's."""
        last = next((seen.name for seen in reversed(before) if seen.kind == "weights"), "")
        call = self.made.call
        return one.name or (last if not call.type and last else call.name)

    @cached_property
    def _passes(self) -> Passes:
        return Passes(self.made.closed, self.made.watching, self.of, self.main, self.made.trained)

    @cached_property
    def _reached(self) -> set[int]:
        """The variables that the loss depends on by operations that pass a gradient."""
        count, program = len(self.made.call.leaves), self.of.program
        given = [1 << n for n in range(count)] + [0] * len(self.made.inputs)
        outputs = reached(self.made.closed, given)
        (bits,) = reached(program, [*outputs, *[0] * (len(program.jaxpr.invars) - len(outputs))])
        found = {n for n in range(count) if bits >> n & 1}
        if not found.intersection(self.made.trained):
            raise FaninError(
                "The loss does not depend on the model's parameters by operations that have a derivative.",
                expected="a loss that is made of the model's outputs",
            )
        return found


def _logits(weights: Array, logits: Array | None) -> Array:
    """Return the logits of an attention; where nobody knows these, the logarithms of its weights."""
    with np.errstate(divide="ignore"):
        return np.log(as_floats(weights)) if logits is None else logits


def subject_of(
    model: Any,
    x: Any,
    y: Any,
    *,
    loss: losses.Given,
    given: Given | None,
    seed: int,
    options: Mapping[str, Any],
) -> Subject:
    """Return a model with a batch and a loss, ready to run.

    Args:
        model: The model, or a function f(params, *inputs).
        x: Its inputs, if they are given.
        y: The targets.
        loss: A function of (outputs, targets), a name of `losses.NAMED`, or None.
        given: What inputs are drawn from, if they are not given.
        seed: Of what is drawn.
        options: As for `fanin.frameworks.jax.graph.signal_graph`.

    Raises:
        FaninError: The model cannot be traced, or the loss fails.
    """
    random = np.random.default_rng(seed)
    made = prepared(model, x, given, seed, random, options)
    outputs, structure = jax.tree.flatten(made.shapes)
    main = batch.main_output(made.shapes, made.call.name)
    target = None if y is None else jax.tree.map(as_array, y)
    ends, own = made.watching.ends_in(main), made.watching.own_loss(main)
    of = losses.objective(loss, losses.Outputs(outputs, structure, main, ends, own), target, random)
    return Subject(made, of, main if of.told.output is None else of.told.output)
