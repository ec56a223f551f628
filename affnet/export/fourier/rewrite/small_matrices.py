"""Inverse, solution, determinant and Cholesky factor of small matrices.

No runtime for phones has them, of real matrices neither, which whitening of complex values takes.
Up to 3 x 3 the rows a, b, c of a matrix give, with the cross product,

    det = a . (b x c)        inverse = [b x c, c x a, a x b] / det    (as columns)

Larger ones are solved by `elimination`, up to a size at which it would fill the file.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from affnet.export.fourier.rewrite import elimination
from affnet.export.fourier.rewrite.elimination import LARGEST_SYSTEM
from affnet.export.fourier.rewrite.formulas import formula

aten = torch.ops.aten

#: By cofactors: few operators, but more products than elimination has.
_BY_COFACTORS = 3


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
    if matrix.shape[-1] > _BY_COFACTORS:
        return elimination.solve(matrix, torch.eye(matrix.shape[-1], dtype=matrix.dtype))
    adjugate, det = _adjugate_and_det(matrix)
    return adjugate / det[..., None, None]


def _determinant(matrix: Tensor) -> Tensor:
    if matrix.shape[-1] > _BY_COFACTORS:
        return elimination.det(matrix)
    return _adjugate_and_det(matrix)[1]


def _no_pivots(matrix: Tensor) -> Tensor:
    return torch.zeros(matrix.shape[:-1], dtype=torch.int32)


def _no_info(matrix: Tensor) -> Tensor:
    return torch.zeros(matrix.shape[:-2], dtype=torch.int32)


@formula(aten.linalg_inv_ex.default, real=True)
def _inv(matrix: Tensor, *, check_errors: bool = False) -> Any:  # noqa: ARG001
    if matrix.shape[-1] > LARGEST_SYSTEM:
        return NotImplemented
    return _inverse(matrix), _no_info(matrix)


@formula(aten._linalg_solve_ex.default, real=True)
def _solve(matrix: Tensor, right: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:  # noqa: ARG001
    if matrix.shape[-1] > LARGEST_SYSTEM:
        return NotImplemented
    is_vector = right.dim() == matrix.dim() - 1
    right = right.unsqueeze(-1 if left else -2) if is_vector else right
    if matrix.shape[-1] > _BY_COFACTORS:
        found = (
            elimination.solve(matrix, right) if left else elimination.solve(matrix.mT, right.mT).mT
        )
    else:
        inverse = _inverse(matrix)
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
    if matrix.shape[-1] > LARGEST_SYSTEM and not matrix.is_complex():
        return NotImplemented  # some converters know it
    return torch.linalg.inv_ex(matrix)[0]


@formula(aten.linalg_solve.default, real=True)
def _unchecked_solve(matrix: Tensor, right: Tensor, *, left: bool = True) -> Any:
    if matrix.shape[-1] > LARGEST_SYSTEM and not matrix.is_complex():
        return NotImplemented
    return torch.linalg.solve_ex(matrix, right, left=left)[0]


@formula(aten._linalg_det.default, real=True)
def _det(matrix: Tensor) -> Any:
    if matrix.shape[-1] > LARGEST_SYSTEM:
        return NotImplemented
    return _determinant(matrix), matrix, _no_pivots(matrix)


@formula(aten.linalg_det.default, aten.det.default, real=True)
def _det_alone(matrix: Tensor) -> Any:
    return NotImplemented if matrix.shape[-1] > LARGEST_SYSTEM else _determinant(matrix)


@formula(aten._linalg_slogdet.default, real=True)
def _slogdet(matrix: Tensor) -> Any:
    if matrix.shape[-1] > LARGEST_SYSTEM:
        return NotImplemented
    if matrix.shape[-1] > _BY_COFACTORS:
        return *elimination.slogdet(matrix), matrix, _no_pivots(matrix)
    det = _adjugate_and_det(matrix)[1]
    return torch.sgn(det), torch.log(det.abs()), matrix, _no_pivots(matrix)


@formula(aten.linalg_slogdet.default, aten.slogdet.default, real=True)
def _slogdet_alone(matrix: Tensor) -> Any:
    found = _slogdet(matrix)
    return found if found is NotImplemented else found[:2]


@formula(aten.linalg_cholesky_ex.default, real=True)
def _cholesky_ex(matrix: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:  # noqa: ARG001
    if matrix.shape[-1] > LARGEST_SYSTEM:
        return NotImplemented
    found = elimination.cholesky(matrix.mH if upper else matrix)
    return found.mH if upper else found, _no_info(matrix)


@formula(aten.linalg_cholesky.default, aten.cholesky.default, real=True)
def _cholesky(matrix: Tensor, upper: bool = False) -> Any:
    if matrix.shape[-1] > LARGEST_SYSTEM:
        return NotImplemented
    return torch.linalg.cholesky_ex(matrix, upper=upper)[0]


@formula(aten.linalg_solve_triangular.default, real=True)
def _triangular(
    matrix: Tensor, right: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    if matrix.shape[-1] > LARGEST_SYSTEM:
        return NotImplemented
    if left:
        return elimination.solve_triangular(matrix, right, upper=upper, unit=unitriangular)
    found = elimination.solve_triangular(matrix.mT, right.mT, upper=not upper, unit=unitriangular)
    return found.mT


@formula(aten.cholesky_solve.default, real=True)
def _cholesky_solve(right: Tensor, factor: Tensor, upper: bool = False) -> Any:
    if factor.shape[-1] > LARGEST_SYSTEM:
        return NotImplemented
    lower = factor.mH if upper else factor
    half = elimination.solve_triangular(lower, right, upper=False, unit=False)
    return elimination.solve_triangular(lower.mH, half, upper=True, unit=False)


@formula(aten.cholesky_inverse.default, real=True)
def _cholesky_inverse(factor: Tensor, upper: bool = False) -> Any:
    return _cholesky_solve(torch.eye(factor.shape[-1], dtype=factor.dtype), factor, upper)
