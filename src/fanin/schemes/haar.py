"""Haar-uniform orthogonal matrices, as products of random reflections."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fanin.random.threads import processors, share, undivided_products

_TOGETHER = 64
"""Reflections that are done as one: enough for matrix products to pay, few enough for T to cost little."""
_PANEL = 256
"""Columns of the result that a thread works on at a time."""

Matrices = NDArray[np.float32]


class _Reflections(NamedTuple):
    """The product I - V^T T V of some reflections, which leave the rows before `start` alone."""

    start: int
    v: Matrices
    t: Matrices


def haar(gaussian: Matrices) -> Matrices:
    """Return matrices with orthonormal columns, each uniform among all of them.

    Such is the Q of a Gaussian matrix A = QR with a positive diagonal of R, but nothing is factored. The
    reflection H_k of Householder's step k is that of a Gaussian vector x_k over the rows from k on,
    independent of those before. So the x_k are what is drawn, and

        Q = H_1 ... H_n D,  H_k x_k = -sign(x_k1) ||x_k|| e_k,  D = diag(-sign(x_k1)),

    which takes half of the products that a factorization and its Q take, in single precision.

    Args:
        gaussian: Independent standard normal values, float32, (..., columns, rows), not more columns than
            rows. Row k from place k on is x_k; what is before is not looked at.

    Returns:
        Q, float32, (..., rows, columns); Q^T Q is the identity within 1e-6. The bits depend on the processor
        and the BLAS, not on the number of threads, nor on what is stacked together.

    Example:
        >>> q = haar(np.random.default_rng(0).standard_normal((4, 6), np.float32))
        >>> q.shape, bool(np.allclose(q.T @ q, np.eye(4), atol=1e-6))
        ((6, 4), True)

    References:
        Stewart 1980, The efficient generation of random orthogonal matrices, SIAM J. Numer. Anal. 17;
        Mezzadri 2007, arXiv:math-ph/0609050.
    """
    *stack, columns, rows = gaussian.shape
    q = np.zeros((*stack, rows, columns), np.float32)
    _diagonal(q)[...] = -np.copysign(1.0, _diagonal(gaussian))
    panels = range(0, columns, _PANEL)[::-1]  # the last ones meet most reflections
    threads = min(processors(), len(panels))
    with undivided_products():
        reflections = share(partial(_reflections, gaussian), range(0, columns, _TOGETHER), threads)
        share(lambda begin: _reflect(q[..., begin : begin + _PANEL], begin, reflections), panels, threads)
    return q


def _reflections(gaussian: Matrices, start: int) -> _Reflections:
    """Return some reflections I - v v^T, ||v||^2 = 2, and the T of their product.

    The inverse of T is the upper triangle of V V^T with half of its diagonal. That V is rounded does no harm:
    T is computed from the rounded vectors, in double precision, so their reflections are orthogonal too.

    References:
        Puglisi 1992, Modification of the Householder method based on the compact WY representation, SIAM J.
        Sci. Stat. Comput. 13.
    """
    x = np.triu(gaussian[..., start : start + _TOGETHER, start:]).astype(np.float64)
    first, norm = _diagonal(x).copy(), np.sqrt((x * x).sum(-1))
    _diagonal(x)[...] += np.copysign(norm, first)  # the sign with which nothing cancels
    v = (x / np.sqrt(norm * (norm + np.abs(first)))[..., None]).astype(np.float32)
    exact = v.astype(np.float64)
    gram = np.triu(exact @ exact.swapaxes(-1, -2))
    _diagonal(gram)[...] /= 2
    return _Reflections(start, v, np.linalg.inv(gram).astype(np.float32))


def _reflect(panel: Matrices, begin: int, reflections: list[_Reflections]) -> None:
    """Multiply columns of D from `begin` on by the reflections, where these meet more than zeros."""
    for start, v, t in reversed(reflections):
        if start < begin + panel.shape[-1]:
            part = panel[..., start:, max(start - begin, 0) :]
            part -= v.swapaxes(-1, -2) @ (t @ (v @ part))


def _diagonal(matrices: np.ndarray) -> np.ndarray:
    """Return a view of the diagonals that can be written."""
    return np.einsum("...ii->...i", matrices[..., : matrices.shape[-1], : matrices.shape[-2]])


def unitary(gaussian: np.ndarray) -> np.ndarray:
    """Return matrices with orthonormal complex columns, each uniform among all of them.

    Args:
        gaussian: Independent complex standard normal values, (..., columns, rows), not more columns than
            rows.

    Returns:
        Q, of the given precision, (..., rows, columns).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> q = unitary(rng.standard_normal((4, 6)) + 1j * rng.standard_normal((4, 6)))
        >>> bool(np.allclose(q.conj().T @ q, np.eye(4)))
        True

    References:
        Mezzadri 2007, arXiv:math-ph/0609050, sec. 5.
    """
    q, r = np.linalg.qr(gaussian.swapaxes(-1, -2))
    diagonal = np.diagonal(r, axis1=-2, axis2=-1)
    return q * (diagonal / np.abs(diagonal))[..., None, :]
