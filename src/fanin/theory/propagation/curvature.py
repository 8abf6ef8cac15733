r"""Second derivatives of what is differentiated, from the slopes of functions of normal values.

For slopes h of normal values y with second moments K, Price's theorem says

    dE[h(y_1) h(y_2)] / dK_12 = E[h'(y_1) h'(y_2)] = E[h(y_1) h(y_2) s],  s = a_1 a_2 - (K^-1)_12,  a = K^-1 y

of which the last needs no derivative: s is that of the logarithm of y's density. At one place it is
dE[h^2] / dq = E[h^2 (y^2 - q)] / 2 q^2. Behind a function with the
slope h, second derivatives H are h H h: products of two have E[h h']^2 of them, of traces E[h^2] E[h'^2].

With finite width gradients know something of the signals:

- E[g g'] goes with E[y y'], and that with products x . x' / n of what y = W x is made of, which vary by
  chance. Gradients of weights, the sums of E[g g'] x . x' / n over all pairs of places, gain what both have
  in common.
- W is in g, too: by Stein's lemma W^T g has E[w^2] x tr H more than it would have of another W. At two
  places that is E[tr H tr H'] (1 - c^2), c the correlation of y and y': so much is in

      E[g y g' y'] = E[y y'] E[g g'] + (1 - c^2) E[y^2] E[y'^2] dE[g g'] / dE[y y']

  for slopes that are the same for all sizes of y, as those of ReLU are.

- Of what the gradient is as a function of the signals alone, as 2 (y - t) is, all channels add up to E[tr H]:
  W^T g has the part Var(w) E[tr H] x, of the size of the rest where there are as many outputs as inputs.

References:
    Price (1958), A useful theorem for nonlinear devices having Gaussian inputs.
    Stein (1981), Estimation of the mean of a multivariate normal distribution.
"""

from __future__ import annotations

import numpy as np

from fanin.theory.propagation.cotangent import Cotangent, Curvature, Part
from fanin.theory.propagation.covariance import Covariance, alike
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import Signal

_ALIKE = 1e-6
"""Places that differ by less than that have all in common."""
_ROWS = 2048
"""So many rows are enough, for a few hundredths of what is little."""
_LITTLE = 1e-3
"""What gradients have along signals is left out where it is less than this share of them."""


def curvature(cotangent: Cotangent, y: Signal, *, own: float = 1.0) -> Curvature | None:
    """Return second derivatives with respect to normal values at two places; None where there are none.

    Args:
        cotangent: The gradient.
        y: The values, which all factors of the gradient depend on.
        own: By what to multiply those of functions of each channel, of which later layers know nothing.
    """
    parts = [part for part in cotangent.parts if _curved(part)]
    if not parts:
        return None
    size = SAMPLES * len(y.places)
    step = max(len(y.values) // _ROWS, 1)
    score = _Score(_flat(y.values[::step], y.places))
    products, traces = np.zeros((2, size, size))
    for part in parts:
        slopes = _flat(part.slope[::step], y.places)
        if len(slopes) > 1:
            here = own * score.of(slopes) * part.inner.reshape(size, size)
            products, traces = products + here, traces + y.width * score.rest * here
        if part.curvature is not None:
            both, level = slopes.T @ slopes / len(slopes), np.mean(slopes**2, axis=0)
            behind = part.curvature.times(
                both.reshape(part.inner.shape) ** 2, _outer(level, part.inner.shape)
            )
            products = products + behind.products.reshape(size, size)
            traces = traces + behind.traces.reshape(size, size)
    shape = parts[0].inner.shape
    return Curvature(*(alike(found.reshape(shape), y.places) for found in (products, traces)))


def mean_traces(cotangent: Cotangent, y: Signal) -> Array | None:
    """Return E[tr H], with respect to normal values y, of what is known of a gradient g: n E[g y] / E[y^2].

    Args:
        cotangent: The gradient.
        y: The values.

    Returns:
        (samples, points); None where nothing is known.
    """
    known = [part.slope for part in cotangent.parts if part.is_of_signals]
    if not known:
        return None
    varies = y.values - np.mean(y.values, axis=0)
    found = np.mean(sum(known) * varies, axis=0) / np.maximum(np.mean(varies**2, axis=0), 1e-300)
    return y.width * np.broadcast_to(found, (SAMPLES, len(y.places)))


def along(back: Cotangent, slope: Array, x: Signal) -> Cotangent:
    """Return a gradient with so much of a signal, unless that is little.

    Args:
        back: The gradient with respect to x.
        slope: How much of x there is, (samples, points).
        x: The signal.
    """
    part = Part.of_signals(x.values * slope, x.places)
    return back.plus(part) if part.size > _LITTLE * sum(each.size for each in back.parts) else back


def _outer(level: Array, shape: tuple[int, ...]) -> Covariance:
    return np.outer(level, level).reshape(shape)


def _curved(part: Part) -> bool:
    """Return whether a part has slopes or second derivatives, at places that are not independent."""
    drawn = part.known and not part.is_of_signals
    if drawn or (len(part.slope) == 1 and part.curvature is None):
        return False
    size = part.inner.shape[0] * part.inner.shape[1]
    inner = part.inner.reshape(size, size)
    return bool(np.any(inner[~np.eye(size, dtype=bool)]))


def gained(
    found: Curvature | None,
    products: Covariance,
    scale: float,
    overlap: float,
    own: Covariance | float = 0.0,
) -> Covariance | float:
    """Return what E[g g' x . x' / n] is more than the product of both, as far as both go together.

    Args:
        found: Second derivatives with respect to y = W x.
        products: E[x x'].
        scale: E[y y'] / E[x x'].
        overlap: Variance of x . x' / n, relative to the square of what two places differ by.
        own: Variance of it besides.
    """
    if found is None:
        return 0.0
    level = np.einsum("abab->ab", products)
    apart = (level[:, :, None, None] + level) / 2 - products
    return scale * found.products * (overlap * apart**2 + own)


def _flat(values: Array, places: Places) -> Array:
    return np.broadcast_to(values, (len(values), SAMPLES, len(places))).reshape(len(values), -1)


class _Score:
    """E[h h' s] of pairs of columns of normal values.

    Args:
        values: (rows, columns).
    """

    def __init__(self, values: Array) -> None:
        self.values = values - np.mean(values, axis=0)
        self.products = self.values.T @ self.values / len(values)
        q = np.diag(self.products)
        self.left, self.right = np.broadcast_arrays(q[:, None], q)
        size = np.maximum(self.left * self.right, 1e-300)
        self.determinant = size - self.products**2
        self.rest = self.determinant / size  # 1 - c^2
        self.apart = self.rest > _ALIKE

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
        alike = (squares - self.left * none) / np.maximum(2 * self.left**2, 1e-300)
        return np.where(self.apart, found / determinant**2 + k / determinant * none, alike)
