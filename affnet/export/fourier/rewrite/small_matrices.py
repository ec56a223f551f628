"""Inverse, solution and determinant of matrices up to 3 x 3, by cofactors.

No runtime for phones has them, of real matrices neither, which whitening of complex values takes.
The rows a, b, c of a matrix give, with the cross product,

    det = a . (b x c)        inverse = [b x c, c x a, a x b] / det    (as columns)

Larger ones would need pivots, which depend on the values.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from affnet.export.fourier.rewrite.formulas import formula

aten = torch.ops.aten

LARGEST_MATRIX = 3


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a.roll(-1, -1) * b.roll(-2, -1) - a.roll(-2, -1) * b.roll(-1, -1)


def _adjugate_and_det(matrix: Tensor) -> tuple[Tensor, Tensor]:
    size = matrix.shape[-1]
    if size == 1:
        return torch.ones_like(matrix), matrix[..., 0, 0]
    if size == 2:
        a, b, c, d = matrix.flatten(-2).unbind(-1)
        adjugate = torch.stack([d, -b, -c, a], -1).reshape(matrix.shape)
        return adjugate, a * d - b * c
    a, b, c = matrix.unbind(-2)
    columns = [_cross(b, c), _cross(c, a), _cross(a, b)]
    return torch.stack(columns, -1), (a * columns[0]).sum(-1)


def _inverse(matrix: Tensor) -> Tensor:
    adjugate, det = _adjugate_and_det(matrix)
    return adjugate / det[..., None, None]


def _no_pivots(matrix: Tensor) -> Tensor:
    return torch.zeros(matrix.shape[:-1], dtype=torch.int32)


def _no_info(matrix: Tensor) -> Tensor:
    return torch.zeros(matrix.shape[:-2], dtype=torch.int32)


@formula(aten.linalg_inv_ex.default, real=True)
def _inv(matrix: Tensor, *, check_errors: bool = False) -> Any:  # noqa: ARG001
    if matrix.shape[-1] > LARGEST_MATRIX:
        return NotImplemented
    return _inverse(matrix), _no_info(matrix)


@formula(aten._linalg_solve_ex.default, real=True)
def _solve(matrix: Tensor, right: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:  # noqa: ARG001
    if matrix.shape[-1] > LARGEST_MATRIX:
        return NotImplemented
    inverse = _inverse(matrix)
    is_vector = right.dim() == matrix.dim() - 1
    right = right.unsqueeze(-1 if left else -2) if is_vector else right
    found = torch.matmul(inverse, right) if left else torch.matmul(right, inverse)
    found = found.squeeze(-1 if left else -2) if is_vector else found
    return found, matrix, _no_pivots(matrix), _no_info(matrix)


@formula(aten.linalg_solve_ex.default, real=True)
def _solve_alone(
    matrix: Tensor, right: Tensor, *, left: bool = True, check_errors: bool = False
) -> Any:
    found = _solve(matrix, right, left=left, check_errors=check_errors)
    return found if found is NotImplemented else (found[0], found[3])


# torch would add a check of errors to these two: an effect, for which no format has a place
@formula(aten.linalg_inv.default, aten.inverse.default, real=True)
def _unchecked_inv(matrix: Tensor) -> Any:
    if matrix.shape[-1] > LARGEST_MATRIX and not matrix.is_complex():
        return NotImplemented  # some converters know it
    return torch.linalg.inv_ex(matrix)[0]


@formula(aten.linalg_solve.default, real=True)
def _unchecked_solve(matrix: Tensor, right: Tensor, *, left: bool = True) -> Any:
    if matrix.shape[-1] > LARGEST_MATRIX and not matrix.is_complex():
        return NotImplemented
    return torch.linalg.solve_ex(matrix, right, left=left)[0]


@formula(aten._linalg_det.default, real=True)
def _det(matrix: Tensor) -> Any:
    if matrix.shape[-1] > LARGEST_MATRIX:
        return NotImplemented
    return _adjugate_and_det(matrix)[1], matrix, _no_pivots(matrix)


@formula(aten.linalg_det.default, aten.det.default, real=True)
def _det_alone(matrix: Tensor) -> Any:
    return NotImplemented if matrix.shape[-1] > LARGEST_MATRIX else _adjugate_and_det(matrix)[1]


@formula(aten._linalg_slogdet.default, real=True)
def _slogdet(matrix: Tensor) -> Any:
    if matrix.shape[-1] > LARGEST_MATRIX:
        return NotImplemented
    det = _adjugate_and_det(matrix)[1]
    return torch.sgn(det), torch.log(det.abs()), matrix, _no_pivots(matrix)


@formula(aten.linalg_slogdet.default, aten.slogdet.default, real=True)
def _slogdet_alone(matrix: Tensor) -> Any:
    found = _slogdet(matrix)
    return found if found is NotImplemented else found[:2]
