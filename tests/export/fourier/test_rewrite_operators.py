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


def in_place(a: Tensor, b: Tensor) -> list[Tensor]:
    c = a.clone()
    c[1:3] = b.T[0]
    c[..., 0] *= 2j
    c += 1
    c.real.mul_(0.5)
    torch.view_as_real(c)[..., 1].add_(0.25)
    return [c, a + c.conj_physical_()]


@pytest.mark.parametrize(
    "graph",
    [products, convolutions, functions, shapes, creation, in_place],
    ids=lambda f: f.__name__,
)
def test_every_operator_of_the_family(graph: Callable[..., list[Tensor]]) -> None:
    assert_same(graph, _tensor(6, 4), _tensor(4, 5 if graph is not convolutions else 6))
