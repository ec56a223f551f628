"""Variances that keep their correction and come without their mean, and what is over all axes.

Over all axes at once, with none named, coremltools divides variances by n and not by n - 1.  Of
other sums without named axes that stand beside a transposition its pass for those makes a KeyError.
coreai-torch lacks variances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def over_named_axes(spread: Callable[..., Tensor]) -> Callable[..., Any]:
    """Return the rule for ``aten.std`` or ``aten.var`` (``spread``) that names every axis."""

    def rule(
        x: Tensor,
        dim: Sequence[int] | None = None,
        *,
        correction: float | None = None,
        keepdim: bool = False,
    ) -> Any:
        if dim:
            return NotImplemented
        axes = list(range(x.dim()))
        return spread(x, axes, correction=_bessel(correction), keepdim=keepdim)

    return rule


def over_all_axes(reduce: Callable[..., Tensor]) -> Callable[..., Any]:
    """Return the rule for ``aten.mean``, ``sum``, ``max`` or ``min`` that names every axis."""

    def rule(x: Tensor, *, dtype: torch.dtype | None = None) -> Any:
        if dtype is not None or x.dim() == 0:
            return NotImplemented
        return reduce(x, list(range(x.dim())))

    return rule


def variance(
    x: Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Tensor:
    """Return the mean square of the distances from the mean: ``aten.var``."""
    axes = [axis % max(x.dim(), 1) for axis in dim or range(x.dim())]
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    centred = x - x.mean(axes, keepdim=True)
    squares = (centred * centred).sum(axes, keepdim=keepdim)
    return squares / (count - _bessel(correction))


def deviation(
    x: Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Tensor:
    """Return the root of the variance: ``aten.std``."""
    return torch.sqrt(variance(x, dim, correction=correction, keepdim=keepdim))


def with_mean(spread: Callable[..., Tensor]) -> Callable[..., Any]:
    """Return the rule for ``aten.std_mean`` or ``aten.var_mean``: ``spread`` and the mean."""

    def rule(
        x: Tensor,
        dim: Sequence[int] | None = None,
        *,
        correction: float | None = None,
        keepdim: bool = False,
    ) -> Any:
        axes = list(dim or range(x.dim()))
        spread_out = spread(x, axes, correction=_bessel(correction), keepdim=keepdim)
        return spread_out, x.mean(axes, keepdim=keepdim)

    return rule


def _bessel(correction: float | None) -> float:
    return 1 if correction is None else correction


def vector_norm(
    x: Tensor,
    ord: Any = 2,  # noqa: A002 - aten's
    dim: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
) -> Any:
    """``aten.linalg_vector_norm`` over all axes, each named: coremltools' passes ask for them."""
    if dim is not None or x.dim() == 0:
        return NotImplemented
    return torch.linalg.vector_norm(x, ord, list(range(x.dim())), keepdim, dtype=dtype)
