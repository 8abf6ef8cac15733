"""The outputs of a layer with weights, whatever it sums over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, joined
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places, pair_counts
from fanin.theory.propagation.signal import Kernel, Signal, Unknown, Value
from fanin.theory.propagation.sums import concentration


def why_not(node: Node, x: Value, kernel: Value) -> str:
    """Return why nobody knows the outputs of a layer."""
    for value in (x, kernel):
        if isinstance(value, Unknown):
            return value.reason
    if isinstance(kernel, Kernel):
        return f"{node.name}: nobody knows what {kernel.weight or 'its kernel'} is distributed by"
    return f"{node.name}: it is no product of a signal and a weight"


class OfKernel(NamedTuple):
    """The gradient of a kernel.

    Args:
        second_moment: E[dw^2].
        concentration: 1 over the number of independent places that it sums over.
    """

    second_moment: float
    concentration: float

    @classmethod
    def over(
        cls,
        outer: Covariance,
        inner: Covariance,
        places: Places,
        examples: int,
        more: Covariance | float = 0.0,
    ) -> OfKernel:
        """Return the sum over all pairs of places of E[g g'] E[x x'], and of more by chance."""
        total = float(np.sum(pair_counts(places, max(examples, 1)) * (outer * inner + more)))
        return cls(total, concentration(outer, inner, places, examples))

    def times(self, factor: float) -> OfKernel:
        """Return it with so many times the second moment."""
        return self._replace(second_moment=self.second_moment * factor)


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
        bias, apart = self._bias, self._bias_apart
        values = self.context.population(wanted + (0.0 if apart else self._of_bias(len(places))))
        profile = self._profile(len(values))
        if profile is not None:
            values = values * np.sqrt(profile)[:, None, None]
        if apart:
            values = values + self.context.elements(apart)
        else:
            values = values + (bias.law.mean if bias and bias.law else 0.0)
        if law.mean:
            values = values + law.mean * self.fan_in * np.mean(self.x.values, axis=0, keepdims=True)[..., :1]
        width = self.context.size(self.node.name, "channel")
        chain = Chain.of(values, self._seen)
        return Signal(
            values,
            places,
            width,
            self.x.examples,
            self._seen,
            chain=chain,
            normal=apart is None,
            profile=profile,
            terms=max(self.fan_in, 1.0),
        )

    def take_down(self, of_kernel: OfKernel, cotangent: Cotangent, y: Signal) -> None:
        """Take down the gradients of the kernel and of the bias.

        Args:
            of_kernel: Of the kernel.
            cotangent: With respect to the outputs.
            y: The outputs.
        """
        context, kernel, bias = self.context, self.kernel, self._bias
        own = 2 * of_kernel.concentration * (1 / max(y.width, 1) + 1 / max(self.x.width, 1))
        chance = cotangent.chance + self.x.chance + context.more(own)
        # Where signals are larger by chance, what they are told from is, too.
        together = 1 + float(np.mean(cotangent.chance[0] * self.x.chance[0]))
        context.gradient(kernel.weight, of_kernel.second_moment * together * kernel.factor**2, chance)
        if bias is None:
            return
        if self.node.op == "linear":
            context.of_elements(bias, self.node, cotangent, y)
        else:
            total = context.total(cotangent.covariance(y.places), y.places, y.examples)
            context.of_values(bias, total, cotangent.chance, cotangent.spread_of_sums(y.places, y.examples))

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

    @property
    def _bias_apart(self) -> Kernel | None:
        """A bias whose parts have other means, as that of a forget gate has: channels are not alike then."""
        bias = self._bias
        if bias is None or len(bias.shape) > 1 or len({part.mean for part in bias.parts}) < 2:
            return None
        return bias

    def _profile(self, rows: int) -> Array | None:
        """Return the relative variance along the output channels, where parts of a kernel differ."""
        law, parts = self.kernel.law, self.kernel.parts
        if not parts or law is None or not law.variance:
            return None
        each = np.asarray([part.variance for part in parts]) / law.variance
        return each[np.arange(rows) * len(each) // rows]
