r"""What attention gains where keys at two positions overlap by chance, which queries then weigh alike.

With n channels, products x_j . x_j' / n are G around their limit, of relative variance t. Logits and values
are made of the same x. Given the weights C_i = diag(A_i) - A_i A_i' of a query, gradients with respect to it
go with C G C, and

    E[G C G] = C + t (C + tr(C) I)  of G around I.

What is here is to be multiplied by t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fanin.theory.propagation.covariance import Covariance, split
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.rules.heads import Heads
from fanin.theory.propagation.signal import Signal


@dataclass(frozen=True, eq=False)
class Meeting:
    """Keys and values that are made of the same inputs.

    Args:
        key: The keys.
        value: The values.
        heads: Random heads.
        scale: The square of what products of queries and keys are multiplied by.
        features: Of a head's values.
    """

    key: Signal
    value: Signal
    heads: Heads
    scale: float
    features: int

    def of_outputs(self, query: Signal) -> Covariance:
        """Return what E[y y'] gains as logits, and by that weights, go with what values have in common."""
        heads = self.heads
        share = self.key.places.share / self.key.places.total
        level = [float(np.diag(split(x.covariance)[0]) @ share) for x in (self.key, self.value)]
        size = self.scale * heads.key.shape[-1] * level[0] * level[1] * heads.steepness
        apart = np.sqrt(np.maximum(heads.apart(), 0.0))
        return query.covariance * size * apart[:, :, None, None] * apart

    def of_queries(self, outer: Covariance) -> Covariance:
        """Return what E[g_q g_q'] gains beside itself: scale^2 E[g_i g_i'] E[s_i s_i'].

        Args:
            outer: E[g g'] between points of queries.
        """
        return self.scale * self.features * np.mean(self._varied, axis=0) * outer

    def of_keys(self, outer: Covariance) -> Covariance:
        """Return what E[dw^2] of keys gains beside itself, from pairs of queries.

            scale^2 E[g_i g_i'] E[q_i . q_i' s_i s_i'],  s_i = sum_j A_ij |x_j|^2 - |sum_j A_ij x_j|^2

        Args:
            outer: E[g g'] between points of queries.
        """
        return self.scale * self.features * np.mean(self.heads.query_products * self._varied, axis=0) * outer

    @cached_property
    def _varied(self) -> Array:
        """s_i s_i' of values and of turned keys, (heads, samples, points, samples, points)."""
        heads = self.heads
        of_values = heads.varied(self.value.covariance)
        of_keys = heads.varied(self.key.covariance) * heads.turned_alike()
        return heads.steepness * of_values[..., None, None] * of_keys[:, None, None]
