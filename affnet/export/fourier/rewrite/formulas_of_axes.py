"""Complex reductions, prefix products, creations, tests and small compounds, as `formulas`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from affnet.export.fourier.rewrite.formulas import formula

aten = torch.ops.aten


@formula(aten.prod.default)
def _prod(z: Tensor, *, dtype: torch.dtype | None = None) -> Tensor:
    return _prod_over(z.reshape(-1), 0, dtype=dtype)


@formula(aten.prod.dim_int)
def _prod_over(
    z: Tensor, dim: int, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    """Multiply halves of the axis until one element is left."""
    z = z if dtype is None else z.to(dtype)
    if z.dim() == 0:
        return z
    if z.shape[dim] == 0:
        return torch.ones_like(z.sum(dim, keepdim))
    while (length := z.shape[dim]) > 1:
        half = length // 2
        product = z.narrow(dim, 0, half) * z.narrow(dim, half, half)
        rest = z.narrow(dim, 2 * half, length % 2)
        z = torch.cat([product, rest], dim) if length % 2 else product
    return z if keepdim else z.squeeze(dim)


@formula(aten.cumprod.default)
def _cumprod(z: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """Multiply by what is 1, 2, 4, .. places before: a prefix product in log2(n) steps."""
    z = z if dtype is None else z.to(dtype)
    if z.dim() == 0:
        return z
    step, length = 1, z.shape[dim]
    while step < length:
        shifted = z.narrow(dim, step, length - step) * z.narrow(dim, 0, length - step)
        z = torch.cat([z.narrow(dim, 0, step), shifted], dim)
        step *= 2
    return z


@formula(aten.var.correction)
def _var(
    z: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> Tensor:
    """The variance of a complex value is the sum of its parts' variances."""
    return sum(  # type: ignore[return-value]
        torch.var(part, dim, correction=correction, keepdim=keepdim) for part in (z.real, z.imag)
    )


@formula(aten.std.correction)
def _std(
    z: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> Tensor:
    return torch.sqrt(_var(z, dim, correction=correction, keepdim=keepdim))


@formula(aten.var_mean.correction)
def _var_mean(
    z: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    mean = z.mean() if dim is None else z.mean(dim, keepdim)
    return _var(z, dim, correction=correction, keepdim=keepdim), mean


@formula(aten.std_mean.correction)
def _std_mean(
    z: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    var, mean = _var_mean(z, dim, correction=correction, keepdim=keepdim)
    return torch.sqrt(var), mean


@formula(aten.linspace.default)
def _linspace(start: complex, end: complex, steps: int, *, dtype: Any = None, **_: Any) -> Tensor:
    dtype = dtype or torch.get_default_dtype().to_complex()
    places = torch.arange(steps, dtype=dtype.to_real())
    return start + places * ((end - start) / max(steps - 1, 1))


@formula(aten.eye.default)
def _eye(n: int, *, dtype: Any = None, **_: Any) -> Tensor:
    return torch.eye(n, dtype=dtype.to_real()).to(dtype)


@formula(aten.eye.m)
def _eye_of(n: int, m: int, *, dtype: Any = None, **_: Any) -> Tensor:
    return torch.eye(n, m, dtype=dtype.to_real()).to(dtype)


@formula(aten.zero.default)
def _zero(z: Tensor) -> Tensor:
    return torch.zeros_like(z)


@formula(aten.addcmul.default)
def _addcmul(z: Tensor, a: Tensor, b: Tensor, *, value: complex = 1) -> Tensor:
    return z + a * b * value


@formula(aten.addcdiv.default)
def _addcdiv(z: Tensor, a: Tensor, b: Tensor, *, value: complex = 1) -> Tensor:
    return z + a / b * value


@formula(aten.lerp.Scalar, aten.lerp.Tensor)
def _lerp(start: Tensor, end: Tensor, weight: Tensor | complex) -> Tensor:
    return start + weight * (end - start)


@formula(aten.addmv.default)
def _addmv(z: Tensor, a: Tensor, b: Tensor, *, beta: complex = 1, alpha: complex = 1) -> Tensor:
    return z * beta + torch.mv(a, b) * alpha


@formula(aten.addr.default)
def _addr(z: Tensor, a: Tensor, b: Tensor, *, beta: complex = 1, alpha: complex = 1) -> Tensor:
    return z * beta + a[:, None] * b * alpha


@formula(aten.linalg_cross.default)
def _cross(a: Tensor, b: Tensor, *, dim: int = -1) -> Tensor:
    first = a.roll(-1, dim) * b.roll(-2, dim)
    return first - a.roll(-2, dim) * b.roll(-1, dim)


@formula(aten.trace.default)
def _trace(z: Tensor) -> Tensor:
    return z.diagonal().sum()


@formula(aten.isfinite.default)
def _isfinite(z: Tensor) -> Tensor:
    return z.real.isfinite() & z.imag.isfinite()


@formula(aten.isnan.default)
def _isnan(z: Tensor) -> Tensor:
    return z.real.isnan() | z.imag.isnan()


@formula(aten.isinf.default)
def _isinf(z: Tensor) -> Tensor:
    return z.real.isinf() | z.imag.isinf()


@formula(aten.logical_not.default)
def _logical_not(z: Tensor) -> Tensor:
    return z == 0


@formula(aten.logical_and.default)
def _logical_and(a: Tensor, b: Tensor) -> Tensor:
    return (a != 0) & (b != 0)


@formula(aten.logical_or.default)
def _logical_or(a: Tensor, b: Tensor) -> Tensor:
    return (a != 0) | (b != 0)


@formula(aten.logical_xor.default)
def _logical_xor(a: Tensor, b: Tensor) -> Tensor:
    return (a != 0) ^ (b != 0)


@formula(aten.all.default, aten.all.dim, aten.all.dims)
def _all(z: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return torch.all(z != 0, *args, **kwargs)


@formula(aten.any.default, aten.any.dim, aten.any.dims)
def _any(z: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return torch.any(z != 0, *args, **kwargs)


@formula(aten.count_nonzero.default, aten.count_nonzero.dim_IntList)
def _count_nonzero(z: Tensor, dim: Any = None) -> Tensor:
    return (z != 0).sum(dim)


@formula(aten.block_diag.default)
def _block_diag(tensors: list[Tensor]) -> Tensor:
    blocks = [tensor.reshape(-1, tensor.shape[-1] if tensor.dim() else 1) for tensor in tensors]
    width, rows, before = sum(block.shape[1] for block in blocks), [], 0
    for block in blocks:
        after = width - before - block.shape[1]
        rows.append(torch.nn.functional.pad(block, (before, after)))
        before += block.shape[1]
    return torch.cat(rows)


@formula(aten.view.dtype)
def _viewed(z: Tensor, dtype: torch.dtype) -> Tensor:
    """Real numbers as pairs, or pairs as twice as many real numbers, of one precision."""
    if z.is_complex() and dtype is z.real.dtype:
        return torch.view_as_real(z).flatten(-2)
    if dtype.is_complex and dtype.to_real() is z.dtype:
        return torch.view_as_complex(z.reshape(*z.shape[:-1], z.shape[-1] // 2, 2))
    return z if dtype is z.dtype else NotImplemented
