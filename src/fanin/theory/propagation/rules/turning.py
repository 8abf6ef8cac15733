"""Drawn queries and keys, turned by their positions, and gradients turned back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.rotary import Turns
from fanin.theory.propagation.rules.scores import Positions

Vectors = NDArray[np.floating[Any]]
Complex = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True, eq=False)
class Turning:
    """Rotations of pairs of features, as complex numbers.

    Args:
        query: Of queries at points, (heads, 1, points, features / 2).
        key: Of keys at all positions, (positions, features / 2).
    """

    query: Complex
    key: Complex

    @classmethod
    def of(cls, turns: Turns, at: Positions) -> Turning:
        """Return those of drawn heads.

        Args:
            turns: Angles of all positions.
            at: Positions of the heads' points, (heads, points).
        """
        query, key = (np.exp(1j * angles).astype(np.complex64) for angles in turns)
        return cls(query[at][:, None], key)

    def queries(self, vectors: Vectors, *, back: bool = False) -> Vectors:
        """Return vectors at points, (heads, samples, points, features), turned or turned back."""
        return _real(_complex(vectors) * (self.query.conj() if back else self.query))

    def keys(self, vectors: Vectors) -> Vectors:
        """Return vectors at all positions, (heads, samples, positions, features), turned."""
        return _real(_complex(vectors) * self.key)

    def alike(self, one: Array, other: Array) -> Array:
        """Return sum_jj' a_j b_j' tr(R_j' R_j) / features of (..., positions), (...)."""
        return np.mean(((one @ self.key) * (other @ self.key).conj()).real, axis=-1)

    def sums_back(self, query: Vectors, logits: Array, owner: np.ndarray) -> Complex:
        """Return sum_j b_ij R_j^T q_i over the positions j of each block.

        Args:
            query: q, (heads, samples, points, features).
            logits: b, (heads, samples, points, positions).
            owner: The block of each position.

        Returns:
            (heads, samples, points, blocks, features / 2).
        """
        turned = self.key.conj()
        blocks = [logits[..., owner == block] @ turned[owner == block] for block in range(owner[-1] + 1)]
        return np.stack(blocks, axis=3) * _complex(query)[:, :, :, None]


def _complex(vectors: Vectors) -> Complex:
    return vectors[..., ::2] + 1j * vectors[..., 1::2]


def _real(numbers: Complex) -> Vectors:
    return np.stack([numbers.real, numbers.imag], axis=-1).reshape(*numbers.shape[:-1], -1)
