"""Systems of equations, determinants and Cholesky factors beyond 3 x 3, without LAPACK."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from affnet.export.fourier.rewrite.elimination import LARGEST_SYSTEM
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, assert_same

pytestmark = THIRD_PARTY_WARNINGS


def systems(x: Tensor) -> list[Tensor]:
    z = torch.fft.fft(x)
    first = z[:, 0].real  # a zero where the first pivot would be
    batch = torch.where(torch.eye(5).roll(1, 0) > 0, first + 9, first)
    batch = torch.where(torch.arange(25).reshape(5, 5) == 0, 0, batch)
    hermitian = z[:, 1] @ z[:, 1].mH + torch.eye(5)
    lower = torch.linalg.cholesky(hermitian)
    return [
        torch.linalg.solve(batch, x[:, 0, :, :2]),
        torch.linalg.solve(batch, x[:, 0, 0]),
        torch.linalg.solve(z[:, 0], z[:, 1], left=False),
        torch.linalg.inv(z[:, 0]),
        torch.linalg.det(batch),
        torch.det(z[:, 1]),
        *torch.linalg.slogdet(batch),
        *torch.linalg.slogdet(z[:, 0]),
        lower,
        torch.linalg.cholesky(hermitian.real, upper=True),
        torch.linalg.solve_triangular(lower, z[:, 0], upper=False),
        torch.linalg.solve_triangular(lower.mH, z[:, 0], upper=True, left=False),
        torch.linalg.solve_triangular(lower, z[:, 0], upper=False, unitriangular=True),
        torch.cholesky_solve(x[:, 0, :, :1], torch.linalg.cholesky(hermitian.real)),
        torch.cholesky_inverse(torch.linalg.cholesky(hermitian.real)),
    ]


def test_systems_of_five_are_solved_whatever_their_pivots() -> None:
    torch.manual_seed(0)
    result = assert_same(systems, torch.randn(3, 2, 5, 5, dtype=torch.float64))
    left = {str(node.target) for node in result.program.graph.nodes}
    assert not any("linalg" in name or "cholesky" in name for name in left)


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (3, 2, 1, 0), (1, 2, 3, 0), (0, 2, 1, 3)])
def test_the_sign_of_a_determinant_is_that_of_the_order_of_rows(order: tuple[int, ...]) -> None:
    def sign(x: Tensor) -> Tensor:
        scale = torch.fft.fft(x)[0].real
        return torch.linalg.det(torch.eye(4, dtype=x.dtype)[list(order)] * scale)

    assert_same(sign, torch.rand(8, dtype=torch.float64) + 1)


def test_a_large_system_is_as_exact_in_float32_as_lapack() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(LARGEST_SYSTEM, LARGEST_SYSTEM) + 4 * torch.eye(LARGEST_SYSTEM)

    def solved(x: Tensor) -> Tensor:
        return torch.linalg.solve(matrix + torch.fft.rfft(x).real[:LARGEST_SYSTEM], x[:64])

    assert_same(solved, torch.randn(200), tolerance=1e-4)


def test_larger_systems_stay() -> None:
    def solved(x: Tensor) -> Tensor:
        size = LARGEST_SYSTEM + 1
        return torch.linalg.solve(torch.fft.rfft(x).real[:size] + torch.eye(size), x[:size])

    result = assert_same(solved, torch.randn(200, dtype=torch.float64))
    assert any("linalg_solve" in str(node.target) for node in result.program.graph.nodes)
