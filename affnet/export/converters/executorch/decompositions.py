"""Operators that XNNPACK lacks, in terms of those it has.

Its only mean is that over the last two axes of four, with these axes kept.  Group and layer
normalisation, for which it has nothing, become two such means each::

    c = x - mean(x);  y = c * (rsqrt(mean(c * c) + eps) * weight) + bias

In float16, which holds squares of values up to 256 only, ``c`` is first divided by the mean of its
absolute values, and so is the root of ``eps``: ``y`` stays the same.

torch would write a product of batches with expansions to the shape that they have already; XNNPACK
has no expansion.  It would compute SiLU in float32 between casts, which XNNPACK has neither.

Of two it computes something else.  Beside an operator that it lays out with channels last, its
softmax over the last axis of four runs over channels; flattened to three axes it is right.  Its
GELU is the exact one, whichever was asked for; that by tanh is written out.

A decomposition that does not apply returns NotImplemented: torch then leaves the operator as it
is, and it is reported as not delegated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from affnet.export.operators.activations import gelu

_LEAST_HALF = 2.0**-14  # float16 holds smaller numbers with fewer digits only
_MAP = (2, 3)  # the axes of a B x C x H x W map that XNNPACK can average over


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Return the table that `torch.export.ExportedProgram.run_decompositions` takes."""
    aten = torch.ops.aten
    return {
        aten.gelu.default: _gelu,
        aten.group_norm.default: _group_norm,
        aten._native_batch_norm_legit.no_stats: _batch_norm,
        aten.instance_norm.default: _instance_norm,
        aten.layer_norm.default: _layer_norm,
        aten.matmul.default: _matmul,
        aten.mean.dim: _mean,
        aten.silu.default: _silu,
        aten.softmax.int: _softmax,
    }


def _group_norm(
    x: Tensor,
    groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,  # noqa: ARG001 - the operator has it
) -> Any:
    """Normalise groups of channels; of one image as a whole the blocked layout is kept."""
    channels = (1, -1, *[1] * (x.ndim - 2))
    if groups == 1 and x.ndim == 4:
        return _normalised(x, _mean_of_image, weight, bias, channels, eps)
    rows = x.reshape(x.shape[0] * groups, -1)
    if groups == x.shape[1]:
        rows = _centred(rows)
    y = _normalised(rows, _mean_of_row, None, None, (), eps).reshape(x.shape)
    return _scaled(y, weight, bias, channels)


def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,  # noqa: ARG001 - the operator has it
    momentum: float,  # noqa: ARG001
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise each channel over the batch by the batch's own statistics.

    The mean and the scale, of which nothing is made in evaluation, are left to be zeros.
    """
    first = x.transpose(0, 1)
    rows = _centred(first.reshape(x.shape[1], -1))
    y = _normalised(rows, _mean_of_row, None, None, (), eps)
    y = y.reshape(first.shape).transpose(0, 1)
    unused = x.new_zeros(x.shape[1])
    return _scaled(y, weight, bias, (1, -1, *[1] * (x.ndim - 2))), unused, unused


def _instance_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,  # noqa: ARG001 - the operator has it
    running_var: Tensor | None,  # noqa: ARG001
    use_input_stats: bool,
    momentum: float,  # noqa: ARG001
    eps: float,
    cudnn_enabled: bool,  # noqa: ARG001
) -> Any:
    """Normalise each channel by itself."""
    if not use_input_stats:
        return NotImplemented
    return _group_norm(x, x.shape[1], weight, bias, eps)


def _layer_norm(
    x: Tensor,
    shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,  # noqa: ARG001 - the operator has it
) -> Any:
    """Normalise over the last axes."""
    if len(shape) == 1:
        return _normalised(x, _mean_of_row, weight, bias, (-1,), eps)
    rows = x.reshape(*x.shape[: x.ndim - len(shape)], -1)
    return _normalised(rows, _mean_of_row, weight, bias, (-1,), eps).reshape(x.shape)


def _centred(channels: Tensor) -> Tensor:
    """Take the mean of each channel off once more than its normalisation does.

    The channels of a constant map are constant too.  What the first mean is off by, some units in
    the last place, comes out up to ``eps ** -0.5`` times larger; PyTorch's mean is nearly exact.
    """
    return channels - _mean_of_row(channels)


def _normalised(
    x: Tensor,
    mean: Callable[[Tensor], Tensor],
    weight: Tensor | None,
    bias: Tensor | None,
    shape: tuple[int, ...],
    eps: float,
) -> Tensor:
    centred = x - mean(x)
    if x.dtype == torch.float16:
        size = mean(centred.abs()).clamp(min=_LEAST_HALF)
        centred = centred / size
        root = _constant(eps**0.5, size) / size
        scale = torch.rsqrt(mean(centred * centred) + root * root)
    else:
        scale = torch.rsqrt(mean(centred * centred) + eps)
    if weight is not None:
        scale = scale * weight.reshape(shape)
    return _scaled(centred * scale, None, bias, shape)


def _scaled(
    y: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...]
) -> Tensor:
    if weight is not None:
        y = y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def _constant(value: float, positive: Tensor) -> Tensor:
    """Return ``value`` in the shape and type of a positive tensor.

    A number among the operands would become one of float32 behind a cast, except in a clamp.
    """
    return (-positive).clamp(min=value)


def _mean_of_image(x: Tensor) -> Tensor:
    of_channels = x.mean(_MAP, keepdim=True)
    return of_channels.reshape(x.shape[0], 1, x.shape[1], 1).mean(_MAP, keepdim=True)


def _mean_of_row(x: Tensor) -> Tensor:
    rows = x.reshape(1, -1, x.shape[-1], 1)
    return rows.mean(_MAP, keepdim=True).reshape(*x.shape[:-1], 1)


def _matmul(x: Tensor, y: Tensor) -> Any:
    """Multiply batches of matrices, without an expansion to the same shape."""
    batch = x.shape[:-2]
    if x.ndim < 3 or y.shape[:-2] != batch:
        return NotImplemented
    flat = torch.bmm(x.reshape(-1, *x.shape[-2:]), y.reshape(-1, *y.shape[-2:]))
    return flat.reshape(*batch, x.shape[-2], y.shape[-1])


def _mean(
    x: Tensor, dims: Sequence[int] | None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """Keep the axes averaged over, and drop them afterwards."""
    if keepdim or dtype is not None or dims is None or x.ndim != 4:
        return NotImplemented
    if tuple(sorted(dim % 4 for dim in dims)) != _MAP:
        return NotImplemented
    return x.mean(_MAP, keepdim=True).reshape(x.shape[:2])


def _softmax(x: Tensor, dim: int, dtype: Any = None) -> Any:
    """Flatten a map of four axes to three, whose layout XNNPACK does not change."""
    if dtype is not None or x.ndim != 4 or dim not in (-1, 3):
        return NotImplemented
    rows = x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])
    return rows.softmax(-1).reshape(x.shape)


def _gelu(x: Tensor, approximate: str = "none") -> Any:
    """Write out the GELU by tanh; in float16 the exact one is as near as its rounding."""
    return NotImplemented if x.dtype == torch.float16 else gelu(x, approximate)


def _silu(x: Tensor) -> Tensor:
    """Multiply by the sigmoid, without leaving the type of ``x``."""
    return x * torch.sigmoid(x)
