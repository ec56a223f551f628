"""Systems of equations of a fixed size: Gauss' elimination with partial pivoting, as LAPACK's.

Which row is the pivot's depends on the values, which operators are run does not: the place of the
largest value left in a column gives a mask of rows, and the row is the product with it.  Rows stay
where they are; a step takes a multiple of the pivot's row from those that are left, and drops the
column.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Each unknown takes about 20 operators.
LARGEST_SYSTEM = 64


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Return X of ``matrix`` X = ``right``, (.., n, n) and (.., n, k)."""
    batch = torch.broadcast_shapes(matrix.shape[:-2], right.shape[:-2])  # type: ignore[no-untyped-call]
    size = matrix.shape[-1]
    matrix, right = (x.expand(*batch, *x.shape[-2:]) for x in (matrix, right))
    left = torch.cat([matrix, right.to(matrix.dtype)], -1)
    used = torch.zeros(*batch, size, dtype=torch.bool)
    rows = []
    for _ in range(size):
        left, used, _, row, _ = _step(left, used)
        rows.append(row)
    solved = rows[-1]
    for number, row in enumerate(reversed(rows[:-1]), start=1):
        found = row[..., number:] - torch.matmul(row[..., :number], solved)
        solved = torch.cat([found, solved], -2)
    return solved


def det(matrix: Tensor) -> Tensor:
    """Return the determinants of (.., n, n): the product of the pivots, and of their rows' sign."""
    product, sign = _pivots_and_sign(matrix)
    return torch.stack(product, -1).prod(-1) * sign


def slogdet(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the signs of the determinants and the logarithms of their absolute values."""
    pivots, sign = _pivots_and_sign(matrix)
    found = torch.stack(pivots, -1)
    return torch.sgn(found).prod(-1) * sign, found.abs().log().sum(-1)


def _pivots_and_sign(matrix: Tensor) -> tuple[list[Tensor], Tensor]:
    size = matrix.shape[-1]
    used = torch.zeros(matrix.shape[:-1], dtype=torch.bool)
    before = torch.ones(size, size, dtype=torch.bool).tril(-1)
    pivots, passed = [], []
    for _ in range(size):
        free = ~used
        matrix, used, mask, _, pivot = _step(matrix, used)
        pivots.append(pivot[..., 0, 0])
        # each row that is left above the pivot's changes the sign
        above = (mask[..., None] & before).any(-2) & free
        passed.append(above.to(matrix.real.dtype).sum(-1))
    return pivots, torch.cos(torch.pi * torch.stack(passed, -1).sum(-1))


def _step(left: Tensor, used: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Take the first unknown from the rows that are not used yet, but for the pivot's.

    Returns the other columns, the rows used with it, where the pivot's is, that row over the pivot,
    and the pivot.
    """
    column = left[..., :1]
    size = column.real.abs() + column.imag.abs() if left.is_complex() else column.abs()
    place = torch.where(used, -1, size[..., 0]).argmax(-1, keepdim=True)
    mask = torch.arange(used.shape[-1]) == place
    chosen = torch.matmul(mask[..., None, :].to(left.dtype), left)
    pivot = chosen[..., :1]
    row = chosen[..., 1:] / pivot
    used = used | mask
    return left[..., 1:] - torch.where(used[..., None], 0, column) * row, used, mask, row, pivot


def cholesky(matrix: Tensor) -> Tensor:
    """Return L of ``matrix`` = L L^H, of which the lower half is read."""
    columns = []
    for done in range(matrix.shape[-1]):
        column = matrix[..., :1] / matrix[..., :1, :1].real.sqrt()
        matrix = (matrix - column * column.mH)[..., 1:, 1:]
        zeros = torch.zeros(*column.shape[:-2], done, 1, dtype=column.dtype)
        columns.append(torch.cat([zeros, column], -2))
    return torch.cat(columns, -1)


def solve_triangular(matrix: Tensor, right: Tensor, *, upper: bool, unit: bool) -> Tensor:
    """Return X of ``matrix`` X = ``right``, of which one half of the matrix is read."""
    size = matrix.shape[-1]
    solved: list[Tensor] = []
    for number in reversed(range(size)) if upper else range(size):
        known = matrix[..., number, number + 1 :] if upper else matrix[..., number, :number]
        left = right[..., number : number + 1, :]
        if solved:
            left = left - torch.matmul(known[..., None, :], torch.cat(solved, -2))
        left = left if unit else left / matrix[..., number : number + 1, number : number + 1]
        solved = [left, *solved] if upper else [*solved, left]
    return torch.cat(solved, -2)
