r"""Second moments of normalized values, with the chance in their variance v.

v is sum l z^2 / N, of normal z and the eigenvalues l of the second moments of all N values that it is taken
over. With p(t) = e^(-eps t) prod (1 + 2 t l / N)^(-1/2),

    E[1 / (v + eps)] = int_0^inf p(t) dt,  E[l z^2 / (v + eps)] = int_0^inf p(t) l / (1 + 2 t l / N) dt
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fanin.theory.propagation.covariance import Covariance, joined, split
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.sums import Spectrum, composed

Kinds = Sequence[tuple[Covariance, int]]
"""Second moments between places of directions among channels, and how many of these there are."""


def normalized(kinds: Kinds, places: Places, examples: int, eps: float) -> tuple[Covariance, float]:
    """Return E[y y'] and E[1 / (v + eps)].

    Args:
        kinds: Second moments between places, of each direction among the channels.
        places: Of the points.
        examples: That v is taken over; 1 where each has its own.
        eps: What is added to v.
    """
    kinds = [(found, often) for found, often in kinds if often]
    spectra = [(Spectrum.of(found, places, max(examples, 1)), often) for found, often in kinds]
    number = sum(often * float(np.sum(each.often)) for each, often in spectra)
    size = sum(often * float(_values(each) @ each.often) for each, often in spectra) / number
    squares = [1 + 2 * np.multiply.outer(_TIMES, _values(each) / (number * size)) for each, _ in spectra]
    logarithm = sum(
        (
            often * (np.log(square) @ each.often)
            for square, (each, often) in zip(squares, spectra, strict=True)
        ),
        np.zeros(len(_TIMES)),
    )
    weights = _WEIGHTS * np.exp(-0.5 * logarithm - _TIMES * eps / size)
    channels = sum(often for _, often in kinds)
    inner = sum(
        (
            often / channels * each.changed(weights @ (1 / square) * _values(each) / size)
            for square, (each, often) in zip(squares, spectra, strict=True)
        ),
        np.zeros_like(kinds[0][0]),
    )
    if examples <= 1:
        inner = joined(split(inner)[0], _between(kinds, places, number * (size + eps)))
    return inner, min(float(np.sum(weights)), _MOST) / size


def _between(kinds: Kinds, places: Places, total: float) -> Array:
    r"""Return E[y y'] of two examples, each with its own v, to second order in the chance of these.

    With 1 / sqrt(v) = (1 - d / 2 + 3 d^2 / 8) / sqrt(E[v]) and normal values,

        E[x x' / sqrt(v v')] = (A (1 + 3/4 E[d^2] + 1/4 E[d d']) - (S A + A S) / N E[v]) / E[v]

    S and A the second moments within an example and between two.

    Args:
        kinds: As of `normalized`.
        places: Of the points.
        total: N E[v].
    """
    channels = sum(often for _, often in kinds)
    pairs = split(pair_counts(places, SAMPLES))
    own = shared = 0.0
    found = np.zeros((len(places), len(places)))
    for inner, often in kinds:
        same, apart = split(inner)
        own += 2 * often * float(np.sum(pairs[0] * same**2)) / total**2
        shared += 2 * often * float(np.sum(pairs[1] * apart**2)) / total**2
        along = composed(same, apart, places) / total
        found += often / channels * (along + along.T)
    mean = sum((often / channels * split(inner)[1] for inner, often in kinds), np.zeros(()))
    return (mean * (1 + 0.75 * own + 0.25 * shared) - found) * channels * places.total / total


def _values(spectrum: Spectrum) -> Array:
    return np.maximum(spectrum.values, 0.0)


def _half_line(points: int) -> tuple[Array, Array]:
    """Return nodes and weights of integrals from 0 to infinity."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    inside = (1 + nodes) / 2
    return inside / (1 - inside), weights / (2 * (1 - inside) ** 2)


_TIMES, _WEIGHTS = _half_line(64)
_MOST = 5.0  # of so few places E[1 / v] is infinite
