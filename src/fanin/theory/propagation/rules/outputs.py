"""The outputs of a layer with weights, whatever it sums over."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.covariance import Covariance, joined
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.signal import Chain, Kernel, Signal, Unknown, Value


def why_not(node: Node, x: Value, kernel: Value) -> str:
    """Return why nobody knows the outputs of a layer."""
    for value in (x, kernel):
        if isinstance(value, Unknown):
            return value.reason
    if isinstance(kernel, Kernel):
        return f"{node.name}: nobody knows what {kernel.weight or 'its kernel'} is distributed by"
    return f"{node.name}: it is no product of a signal and a weight"


@dataclass(eq=False)
class Outputs:
    """Outputs of a layer with weights.

    Args:
        node: The layer.
        x: Its inputs.
        kernel: Its kernel, whose law is known.
        rest: Its bias, or nothing.
        context: Of the run.
        fan_in: Terms of each sum.
    """

    node: Node
    x: Signal
    kernel: Kernel
    rest: list[Value]
    context: Context
    fan_in: float
    _seen: Array = field(init=False)

    def __post_init__(self) -> None:
        self._seen = self.context.seen(self.x)

    def drawn(self, wanted: Covariance, places: Places) -> Signal:
        """Return the outputs whose sums have these second moments."""
        law = self.kernel.law
        assert law is not None
        bias = self._bias
        values = self.context.population(wanted + self._of_bias(len(places)))
        profile = self._profile(len(values))
        if profile is not None:
            values = values * np.sqrt(profile)[:, None, None]
        values = values + (bias.law.mean if bias and bias.law else 0.0)
        if law.mean:
            values = values + law.mean * self.fan_in * np.mean(self.x.values, axis=0, keepdims=True)[..., :1]
        width = self.context.size(self.node.name, "channel")
        chain = Chain(values, self._seen, lambda z: z)
        return Signal(
            values,
            places,
            width,
            self.x.examples,
            self._seen,
            chain=chain,
            normal=True,
            profile=profile,
            terms=max(self.fan_in, 1.0),
        )

    def take_down(self, of_kernel: float, found: Covariance, y: Signal, seen: Array) -> None:
        """Take down the gradients of the kernel and of the bias.

        Args:
            of_kernel: E[dw^2] of the kernel.
            found: Second moments of the gradient with respect to the outputs.
            y: The outputs.
            seen: Relative changes of them by chance.
        """
        context, bias = self.context, self._bias
        context.gradient(self.kernel.weight, of_kernel * self.kernel.factor**2, seen + self._seen)
        if bias is None:
            return
        if self.node.op == "linear":
            context.of_elements(bias, self.node, found, y, seen)
        else:
            total = context.total(found, y.places, y.examples)
            context.gradient(bias.weight, total * bias.factor**2, seen)

    def _of_bias(self, points: int) -> Covariance | float:
        """Return what the bias adds to second moments: to those of all places the same, if they share it."""
        bias = self._bias
        if bias is None or bias.law is None:
            return 0.0
        if self.node.op == "linear" and "position" in self.context.spanned(bias.shape, self.node):
            return bias.law.variance * joined(np.eye(points), np.eye(points))
        return bias.law.variance

    @property
    def _bias(self) -> Kernel | None:
        bias = self.rest[0] if self.rest else None
        return bias if isinstance(bias, Kernel) and bias.law is not None else None

    def _profile(self, rows: int) -> Array | None:
        """Return the relative variance along the output channels, where parts of a kernel differ."""
        law, parts = self.kernel.law, self.kernel.parts
        if not parts or law is None or not law.variance:
            return None
        each = np.asarray([part.variance for part in parts]) / law.variance
        return each[np.arange(rows) * len(each) // rows]
