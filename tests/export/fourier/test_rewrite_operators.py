"""Each complex operator by itself, on complex inputs, against PyTorch in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, assert_same

pytestmark = THIRD_PARTY_WARNINGS


def _tensor(*shape: int) -> Tensor:
    torch.manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.complex128)


def products(a: Tensor, b: Tensor) -> list[Tensor]:
    batch = a.reshape(2, 3, 4)
    return [
        torch.mm(a, b),
        torch.bmm(batch, batch.mT),
        torch.mv(a, b[:, 0]),
        torch.dot(a[0], b[:, 0]),
        torch.vdot(a[0], b[:, 0]),
        torch.inner(a, a),
        torch.outer(a[0], a[1].real),
        torch.addmm(a[:, :1], a, b, beta=0.5, alpha=2 - 1j),
        torch.baddbmm(batch[:, :, :3], batch, batch.mH, alpha=2),
        torch.linalg.vecdot(a, a + 1),
        F.linear(a, b.mT, b[0]),
        F.linear(a, b.mT.real.to(a.dtype)),
        torch.tensordot(a, b, dims=1),
        torch.kron(a[:2, :2], b[:2, :2]),
        torch.einsum("ij,jk->ik", a, b.real + 0j),
        torch.einsum("ii->i", a[:4, :4]),
        torch.einsum("...j,j->...", a, a[0]),
    ]


def convolutions(a: Tensor, b: Tensor) -> list[Tensor]:
    image, kernel = a.reshape(1, 2, 3, 4), b.reshape(2, 2, 2, -1)
    return [
        F.conv2d(image, kernel, b[0, :2], padding=1),
        F.conv2d(image, kernel, stride=2, padding=1),
        F.conv1d(a[None, :4], b.reshape(6, 4, 1)),
    ]


def functions(a: Tensor, b: Tensor) -> list[Tensor]:  # noqa: ARG001
    return [
        a.abs(),
        a.angle(),
        a.sgn(),
        (a * 0).sgn(),
        a.exp(),
        a.log(),
        a.sqrt(),
        a.square(),
        a**3,
        a**-2,
        a**0,
        a**0.3,
        a.reciprocal(),
        torch.polar(a.abs(), a.angle()),
        -a,
        a.conj().resolve_conj().imag,
        a.conj_physical(),
        torch.view_as_real(a.conj().resolve_conj()),
        torch.linalg.vector_norm(a, dim=0),
        a.norm(),
        a == a.conj(),
        a != a[0],
        a == 1,
        a.real.to(torch.complex128),
    ]


def shapes(a: Tensor, b: Tensor) -> list[Tensor]:
    mask = a.real > 0
    index = torch.tensor([2, 0])
    return [
        a.T.reshape(3, 8),
        a.view(2, 3, 4).permute(2, 0, 1).flatten(1),
        a.diagonal(),
        a.tril() + a.triu(1),
        a.gather(0, index[:, None].expand(2, 4)),
        a.index_select(1, index),
        a[mask.any(1).long()],
        a[:, None, index],
        torch.where(mask, a, 0.5),
        torch.where(mask, a.real, a),
        a.masked_fill(mask, 2 + 1j),
        torch.scatter(a, 0, index[:, None].expand(2, 4), b.T[:2]),
        a.index_put((index,), b.T[:2]),
        a.repeat(2, 1),
        a.tile(1, 2),
        a.movedim(0, 1).narrow(0, 1, 2),
        torch.cat(a.chunk(2), dim=1),
        torch.stack(a.unbind(), -1),
        torch.cat((a, a.real)),
        torch.hstack(a.split([2, 4])[:1]),
        F.pad(a, (1, 2, 0, 1)),
        F.pad(a, (1, 1), value=2.0),
        a.unfold(0, 3, 2),
        a.cumsum(1),
        a.sum(),
        a.mean(),
        a.mean((0, 1), keepdim=True),
        a.real.sum(0, dtype=torch.complex128),
    ]


def creation(a: Tensor, b: Tensor) -> list[Tensor]:
    return [
        a + torch.zeros_like(a),
        torch.ones_like(a) * 2j,
        torch.full_like(a, 1 - 1j),
        a.new_zeros(3),
        a.new_ones(2) + 1j,
        torch.full((2, 3), 2j, dtype=torch.complex128),
        torch.ones(3, dtype=torch.complex128) + a[0, 0],
        torch.complex(a.real, b.T.imag[:1].expand(6, 4)),
        torch.tensor([1 + 2j, 3]).to(torch.complex128) * a[:2, :2],
        torch.arange(4) * a,
        (a.real > 0) * a,
        a.to(torch.complex64).to(torch.complex128),
        a - torch.arange(4),
        a.real * 2j,
        3 / a,
        a.real / a,
        a / 2j,
        2j - a,
        a.imag.float() * a,
        torch.sub(a, b.T[:1], alpha=1j),
        torch.rsub(a, b.T[:1], alpha=2),
    ]


def elementary(a: Tensor, b: Tensor) -> list[Tensor]:
    return [
        a.sin(),
        a.cos(),
        a.tan(),
        a.sinh(),
        a.cosh(),
        a.tanh(),
        torch.tanh(50 * a),  # where cosh would overflow in float32
        a.asin(),
        a.acos(),
        a.atan(),
        a.asinh(),
        a.acosh(),
        a.atanh(),
        a.log1p(),
        (a / 1000).log1p(),
        a.expm1(),
        (a / 1000).expm1(),
        a.log2(),
        a.log10(),
        a.exp2(),
        a.rsqrt(),
        a.sigmoid(),
        F.silu(a),
        torch.sinc(a),
        torch.sinc(a - a),
        a ** b.T[:1],
        (a - a) ** b.T[:1].real.abs(),
        a.real.abs() ** (b.T[:1]),
        a ** (0.5 + 2j),
        a.real.abs() ** 0.5j,
        2.0**a,
        (1 + 1j) ** a,
        torch.float_power(a, 2),
        torch.addcmul(a, a, b.T[:1], value=2j),
        torch.addcdiv(a, a, b.T[:1], value=0.5),
        torch.lerp(a, b.T[:1].expand_as(a), 0.25),
        a.isfinite() & ~a.isnan(),
        a.isinf() | a.logical_not(),
        a.logical_and(a.real) ^ a.logical_xor(b.T[:1]),
        a.view(torch.float64),
        a.real.contiguous().view(torch.complex128),
        a.view(torch.complex128) * 2,
    ]


def reductions(a: Tensor, b: Tensor) -> list[Tensor]:
    return [
        a.prod(),
        a.prod(0),
        a.prod(1, keepdim=True),
        a.prod(1, dtype=torch.complex128),
        a[:0].prod(0),
        a.cumprod(0),
        a.cumprod(1),
        a.var(),
        a.var(1),
        a.var(0, correction=0),
        a.std(),
        a.std((0, 1), keepdim=True),
        *torch.var_mean(a, 1),
        *torch.std_mean(a),
        a.trace(),
        a.all(1),
        a.any(),
        torch.count_nonzero(a) + torch.count_nonzero(a - a.real, 1),
        torch.block_diag(a, b[0], b.T),
        F.embedding(torch.tensor([[2, 0], [1, 1]]), a),
        torch.addmv(a[:, 0], a, b[:, 0], beta=0.5, alpha=2j),
        torch.addr(a, a[:, 0], b[:, 0], alpha=2j),
        torch.trapezoid(a),
    ]


def made(a: Tensor, b: Tensor) -> list[Tensor]:  # noqa: ARG001
    return [
        torch.eye(4, dtype=torch.complex128) + a[:4],
        torch.eye(6, 4, dtype=torch.complex128) * a,
        torch.linspace(0, 1, 4, dtype=torch.complex128) * a,
        torch.linspace(1j, 1, 4, dtype=torch.complex128) * a,
        torch.polar(a.real.abs(), a.imag),
        a.clone().zero_() + 1,
        torch.view_as_complex(torch.view_as_real(a) * 2),
    ]


def moves(a: Tensor, b: Tensor) -> list[Tensor]:
    index, image = torch.tensor([2, 0]), a.reshape(1, 2, 3, 4)
    return [
        a.index_fill(0, index, 2 - 1j),
        a.index_fill(1, index, a[0, 0]),
        a.index_add(0, index, b.T[:2]),
        a.index_copy(0, index, b.T[:2]),
        a.scatter_add(0, index[:, None].expand(2, 4), b.T[:2]),
        a.masked_scatter(torch.eye(6, 4) > 0, b),
        a.diag_embed(),
        torch.diagonal_scatter(a, b[0, :4]),
        a.take(index),
        a.put(index, b[0, :2]),
        a.repeat_interleave(2, 0),
        torch.rot90(a),
        a.flip(0).roll(1, 1),
        F.pad(image, (1, 1, 1, 1), mode="reflect"),
        F.pad(image, (1, 0, 0, 1), mode="replicate"),
        F.pad(image, (1, 1, 1, 1), mode="circular"),
        F.pixel_shuffle(a.reshape(1, 4, 2, 3), 2),
        F.unfold(image, 2),
        a[1:, 1:].as_strided((2, 3), (4, 1), 5),
        a.mT.as_strided((3, 3), (1, 4)),
    ]


def small_matrices(a: Tensor, b: Tensor) -> list[Tensor]:
    batch, two = b[:3, :3].expand(2, 3, 3) + torch.eye(3), a[:2, :2]
    return [
        torch.linalg.inv(batch),
        torch.linalg.inv(two),
        torch.linalg.inv(a[:1, :1]),
        torch.linalg.solve(batch, a[:6].reshape(2, 3, 4)),
        torch.linalg.solve(two, a[:2, 0]),
        torch.linalg.solve(two, a[:, :2], left=False),
        torch.linalg.det(batch),
        *torch.linalg.slogdet(two),
        torch.linalg.cross(a[:, :3], b.T[:1, :3].expand(6, 3)),
        torch.linalg.matrix_power(two, 3),
        torch.einsum("ijd,dd->ijd", a[:, None], b[:, :4]),
        torch.einsum("iij,jk->ik", a[:4].expand(4, 4, 4), b),
        torch.einsum("ij,jk,kl->il", a, b, b.T),
    ]


def in_place(a: Tensor, b: Tensor) -> list[Tensor]:
    c = a.clone()
    c[1:3] = b.T[0]
    c[..., 0] *= 2j
    c += 1
    c.real.mul_(0.5)
    torch.view_as_real(c)[..., 1].add_(0.25)
    c.sin_().tanh_().index_fill_(0, torch.tensor([0]), 1j).masked_fill_(a.real > 1, 2.0)
    return [c, a + c.conj_physical_()]


@pytest.mark.parametrize(
    "graph",
    [
        products,
        convolutions,
        functions,
        elementary,
        reductions,
        made,
        moves,
        small_matrices,
        shapes,
        creation,
        in_place,
    ],
    ids=lambda f: f.__name__,
)
def test_every_operator_of_the_family(graph: Callable[..., list[Tensor]]) -> None:
    assert_same(graph, _tensor(6, 4), _tensor(4, 5 if graph is not convolutions else 6))


def test_small_real_matrices_of_complex_values_are_inverted_by_cofactors() -> None:
    def whitened(x: Tensor) -> list[Tensor]:
        z = torch.view_as_real(torch.fft.fft(x))
        covariance = z.mT @ z / x.shape[-1] + torch.eye(2)
        three = torch.block_diag(covariance[0], torch.ones(1, 1))
        return [
            torch.linalg.det(covariance),
            torch.linalg.inv(covariance),
            torch.linalg.solve(three, torch.ones(3, 2, dtype=x.dtype)),
            *torch.linalg.slogdet(three),
            torch.det(three),
        ]

    result = assert_same(whitened, torch.randn(2, 16, dtype=torch.float64))
    assert not any("linalg" in str(node.target) for node in result.program.graph.nodes)
