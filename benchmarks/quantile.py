"""Fit the coefficients of `fanin.random.normal` again: rational minimax fits, by Lawson's weights."""

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

from fanin.random.normal import CENTER

TURNS = 400
Array = NDArray[np.float64]


def fit(x: Array, f: Array, degrees: tuple[int, int], size: Array) -> tuple[Polynomial, Polynomial]:
    """Return P and monic Q that make the largest |P / Q - f| / size small.

    Each turn solves a linear problem, |P - f Q| weighted by 1 / Q of the turn before (Sanathanan and Koerner),
    and by more where the error was large (Lawson).
    """
    domain = [x.min(), x.max()]
    t = (2 * x - x.min() - x.max()) / np.ptp(x)
    above, below = (np.polynomial.chebyshev.chebvander(t, degree) for degree in degrees)
    lawson, q, best = np.ones_like(x), np.ones_like(x), (np.inf, above[0], below[0])
    for _ in range(TURNS):
        weights = np.sqrt(lawson) / size / np.abs(q)
        columns = np.hstack([above, -f[:, None] * below[:, 1:]]) * weights[:, None]
        solved = np.linalg.lstsq(columns, f * weights, rcond=1e-16)[0]
        p_terms, q_terms = solved[: degrees[0] + 1], np.append(1.0, solved[degrees[0] + 1 :])
        q = below @ q_terms
        error = np.abs(above @ p_terms / q - f) / size
        best = min(best, (error.max(), p_terms, q_terms), key=lambda found: found[0])
        lawson *= error / error.max() + 1e-3
        lawson /= lawson.mean()
    p, q = (Chebyshev(terms, domain).convert(kind=Polynomial) for terms in best[1:])
    return p / q.coef[-1], q / q.coef[-1]


def center() -> None:
    angle = np.linspace(0, np.pi, 4001)
    q = np.sqrt(np.maximum(CENTER**2 * (1 - np.cos(angle)) / 2, 1e-12))
    ratio = ndtri(0.5 + q) / q
    v = 0.25 - q**2
    above, below = fit(v, ratio, (5, 5), ratio)
    show("center: z / q = P(v) / Q(v)", above, below, above(v) / below(v) / ratio)


def tail() -> None:
    z = np.linspace(1.995, 40, 8001)
    r = np.sqrt(-2 * log_ndtr(-z))
    above, below = fit(r, r - z, (4, 5), z)
    show("tail: z = r - P(r) / Q(r)", above, below, (r - above(r) / below(r)) / z)


def show(title: str, above: Polynomial, below: Polynomial, found: Array) -> None:
    print(f"{title}, relative error {np.abs(found - 1).max():.2e}")
    print("  P", *above.coef.tolist())
    print("  Q", *below.coef.tolist())


if __name__ == "__main__":
    center()
    tail()
