"""Matrices of the orthonormal real DFT, in float64.

Each index of a matrix may stand in any order, so a matrix can do the work of the transposes,
slices and concatenations around it.  The functions here return the factors with every index
apart; a plan orders and flattens them as its layout wants.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Indices = NDArray[np.int64]


def unit_roots(rows: Indices, columns: Indices, length: int) -> tuple[Matrix, Matrix]:
    """Return cos and sin of 2 pi r c / length for the integers r in ``rows``, c in ``columns``.

    The angle is reduced as an integer, so that it is as exact at any length, and the values that
    are zero exactly come out so.
    """
    turns = np.outer(rows, columns) % length
    angle = 2 * np.pi * turns / length
    cos, sin = np.cos(angle), np.sin(angle)
    cos[(4 * turns == length) | (4 * turns == 3 * length)] = 0
    sin[(2 * turns == length) | (turns == 0)] = 0
    return cos, sin


def _unit_roots(rows: int, columns: int, length: int) -> tuple[Matrix, Matrix]:
    """Return those of the first ``rows`` and ``columns`` numbers, scaled by 1 / sqrt(length)."""
    cos, sin = unit_roots(np.arange(rows), np.arange(columns), length)
    return cos / np.sqrt(length), sin / np.sqrt(length)


def real_to_half(length: int) -> Matrix:
    """Return R with X[ri, f] = sum_w R[w, ri, f] x[w], shape (length, 2, length // 2 + 1).

    X_r = sum x cos(2 pi w f / W), X_i = -sum x sin(2 pi w f / W), each over sqrt(W).
    """
    cos, sin = _unit_roots(length, length // 2 + 1, length)
    return np.stack((cos, -sin), axis=1)


def half_to_real(length: int) -> Matrix:
    """Return S with x[w] = sum_(ri, f) X[ri, f] S[ri, f, w], shape (2, length // 2 + 1, length).

    Columns that stand for two frequencies, f and W - f, weigh twice; f = 0 and, for an even
    length, f = W / 2 stand for themselves, and their imaginary parts meet sin = 0.
    """
    bins = length // 2 + 1
    cos, sin = _unit_roots(bins, length, length)
    weight = np.full((bins, 1), 2.0)
    weight[0] = 1.0
    if length % 2 == 0:
        weight[-1] = 1.0
    return np.stack((weight * cos, -weight * sin))


def complex_dft(length: int, *, inverse: bool = False) -> Matrix:
    """Return T with Y[ri', k] = sum_(h, ri) T[ri', k, h, ri] X[h, ri], shape (2, n, n, 2).

    It is multiplication by cos -+ i sin, minus for the forward transform, written on real parts.
    """
    cos, sin = _unit_roots(length, length, length)
    return _complex_product(cos, sin if inverse else -sin)


def _complex_product(real: Matrix, imag: Matrix) -> Matrix:
    """Return the product with ``real`` + i ``imag``, on real parts: 2 (ri') x shape x 2 (ri)."""
    to_real = np.stack((real, -imag), axis=-1)
    to_imag = np.stack((imag, real), axis=-1)
    return np.stack((to_real, to_imag))


def twiddled_dft(factor: int, length: int, *, inverse: bool = False) -> Matrix:
    """Return the DFTs of ``length`` with the twiddle factors of ``factor`` residues k1.

    Y[k1, ri', k2] = sum_(n2, ri) T[k1, ri', k2, n2, ri] X[k1, n2, ri] with T the product with
    exp(-2 pi i n2 (k1 + factor k2) / (factor length)), over sqrt(length).  The inverse has the
    conjugate, and n2 before k2.
    """
    cos, sin = _unit_roots(factor * length, length, factor * length)
    cos, sin = (  # k = k1 + factor k2 stands in the order (k2, k1)
        part.reshape(length, factor, length).transpose(1, 0, 2) * np.sqrt(factor)
        for part in (cos, sin)
    )
    if inverse:
        cos, sin = cos.transpose(0, 2, 1), sin.transpose(0, 2, 1)
    return _complex_product(cos, sin if inverse else -sin).transpose(1, 0, 2, 3, 4)


def folded_dft(length: int, *, inverse: bool = False) -> tuple[Matrix, Matrix]:
    """Return cos and sin of 2 pi h k / n for k = 0 .. n // 2: h x k, of the inverse k x h.

    The inverse sums over k and -k, so that k = 0 and, for an even length, k = n / 2, which are
    their own negatives, weigh 1 / 2 there.
    """
    rows = length // 2 + 1
    cos, sin = _unit_roots(length, rows, length)
    if not inverse:
        return cos, sin
    weight = np.ones(rows)
    weight[0] = 0.5
    if length % 2 == 0:
        weight[-1] = 0.5
    return (cos * weight).T, (sin * weight).T
