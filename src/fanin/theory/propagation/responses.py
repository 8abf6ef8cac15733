r"""How gradients at two places go with what the values there have in common.

For slopes h of normal values y with second moments K, Price's theorem says

    dE[h(y_1) h(y_2)] / dK_12 = E[h'(y_1) h'(y_2)] = E[h(y_1) h(y_2) s],  s = a_1 a_2 - (K^-1)_12,  a = K^-1 y

of which the last needs no derivative: s is that of the logarithm of y's density. So E[g g'] goes with the
products x . x' / n that y is made of. These vary by chance, and gradients of weights, which are the sums of
E[g g'] x . x' / n over all pairs of places, gain what both have in common.

References:
    Price (1958), A useful theorem for nonlinear devices having Gaussian inputs.
"""

from __future__ import annotations

import numpy as np

from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import Covariance, alike, moved
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import Signal

_ALIKE = 1e-6
"""Places that differ by less than that have all in common."""


def response(cotangent: Cotangent, y: Signal) -> Covariance | None:
    """Return dE[g g'] / dE[y y'] of two places, 0 for a place with itself; None where there is none.

    Through the factors s of a part's population u, and through what u is itself the gradient of:

        dE[g g'] / dK = E[u u'] dE[s s'] / dK + (E[s s'])^2 dE[u u'] / dK_u

    Args:
        cotangent: g.
        y: Normal values that all factors depend on.
    """
    parts = [part for part in cotangent.parts if _goes(part)]
    if not parts:
        return None
    few, kept = _few(y.places)
    values = _flat(y.values, y.places, kept)
    score = _Score(values - np.mean(values, axis=0))
    shape = (SAMPLES, len(few)) * 2
    found = np.zeros(shape)
    for part in parts:
        slopes = _flat(part.slope, y.places, kept)
        if len(slopes) > 1:
            found += score.of(slopes).reshape(shape) * _between(part.inner, kept)
        if part.bent is not None:
            found += (slopes.T @ slopes / len(slopes)).reshape(shape) ** 2 * _between(part.bent, kept)
    return moved(alike(found, few), few, y.places)


def _goes(part: Part) -> bool:
    """Return whether a part goes with values at two places, and is not independent there."""
    if part.known or (len(part.slope) == 1 and part.bent is None):
        return False
    size = part.inner.shape[0] * part.inner.shape[1]
    inner = part.inner.reshape(size, size)
    return bool(np.any(inner[~np.eye(size, dtype=bool)]))


def _between(found: Covariance, kept: np.ndarray) -> Covariance:
    return found[:, kept][:, :, :, kept]


def gained(
    response: Covariance | None, products: Covariance, scale: float, overlap: float
) -> Covariance | float:
    """Return what E[g g' x . x' / n] is more than the product of both, as far as both go together.

    Args:
        response: dE[g g'] / dE[y y'].
        products: E[x x'].
        scale: E[y y'] / E[x x'].
        overlap: Variance of x . x' / n, relative to the square of what two places differ by.
    """
    if response is None:
        return 0.0
    own = np.einsum("abab->ab", products)
    apart = (own[:, :, None, None] + own) / 2 - products
    return overlap * scale * response * apart**2


def _few(places: Places) -> tuple[Places, np.ndarray]:
    """Return two points of each block, and which ones of all they are."""
    few = Places(places.sizes, 2, places.grid)
    starts = np.cumsum([0, *places.counts[:-1]])
    kept = [start + point for start, count in zip(starts, few.counts, strict=True) for point in range(count)]
    return few, np.asarray(kept)


def _flat(values: Array, places: Places, kept: np.ndarray) -> Array:
    whole = np.broadcast_to(values, (len(values), SAMPLES, len(places)))
    return whole[..., kept].reshape(len(values), -1)


class _Score:
    """E[h h' s] of pairs of columns of normal values.

    Args:
        values: Of mean 0, (rows, columns).
    """

    def __init__(self, values: Array) -> None:
        self.values = values
        self.products = values.T @ values / len(values)
        q = np.diag(self.products)
        self.left, self.right = np.broadcast_arrays(q[:, None], q)
        size = self.left * self.right
        self.determinant = size - self.products**2
        self.apart = self.determinant > _ALIKE * size

    def of(self, slopes: Array) -> Array:
        """Return it for slopes, (columns, columns)."""
        slopes = slopes - np.mean(slopes, axis=0)
        once = slopes * self.values
        none, both, squares = (
            one.T @ other / len(self.values)
            for one, other in ((slopes, slopes), (once, once), (once * self.values, slopes))
        )
        k, determinant = self.products, np.where(self.apart, self.determinant, 1.0)
        found = (self.left * self.right + k**2) * both - k * (self.right * squares + self.left * squares.T)
        return np.where(self.apart, found / determinant**2 + k / determinant * none, 0.0)
