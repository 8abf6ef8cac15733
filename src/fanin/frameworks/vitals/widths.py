"""The coordinate check: how far one step of Adam moves what each layer returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fanin.frameworks import units
from fanin.frameworks.units import Array
from fanin.frameworks.vitals.layers import Seen, numbered
from fanin.frameworks.vitals.steps import Gradients, stepped
from fanin.rules.vitals import Width

Run = Callable[[Sequence[Array]], tuple[Iterable[Seen], Gradients]]
"""From the values of the parameters to what is seen with these, and their gradients."""


def width_of(width: int, values: Sequence[Array], run: Run) -> Width:
    """Return what a model of a width does, and by how much a tiny step moves the outputs of its layers.

    Args:
        width: The width.
        values: Of the parameters.
        run: Runs the model.
    """
    seen, gradients = run(values)
    before = _sampled(seen)
    after = _sampled(run(stepped(values, gradients))[0])
    changes = {name: units.spread(after[name] - value).scale for name, value in before.items()}
    scales = {name: units.spread(value).scale for name, value in before.items()}
    return Width(width, scales, {name: change for name, change in changes.items() if change > 0})


def _sampled(several: Iterable[Seen]) -> dict[str, Array]:
    """Return some of what layers with weights return."""
    weighted = ((name, seen) for name, seen in numbered(several) if seen.kind == "weights")
    return {name: units.as_floats(units.sampled(seen.value)) for name, seen in weighted}
