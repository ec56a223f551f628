"""Computing in float64 what is written for float32, with other roundings in each run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from affnet.export.verification.ties import ordered

_WIDER = {torch.float32: torch.float64, torch.complex64: torch.complex128}
_NARROWER = {wide: narrow for narrow, wide in _WIDER.items()}
_ROUNDING = 2.0**-23  # of float32, relative

_TRANSFORMS = frozenset(
    (
        torch.ops.aten._fft_r2c.default,
        torch.ops.aten._fft_c2c.default,
        torch.ops.aten._fft_c2r.default,
    )
)

#: Products, and which argument holds the factors of the terms that each of its values sums.
_PRODUCTS = {
    torch.ops.aten.convolution.default: 1,
    torch.ops.aten.mm.default: 1,
    torch.ops.aten.bmm.default: 1,
    torch.ops.aten.addmm.default: 2,
}
#: From here on the order of a sum matters more than what its terms are rounded to.
_MANY_TERMS = 512

# Operators whose results are numbers that were there before: nothing is rounded.
_EXACT = frozenset(
    (
        *("_to_copy", "clone", "copy", "fill", "cat", "stack", "repeat", "flip", "roll"),
        *("constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d"),
        *("replication_pad2d", "gather", "index", "index_put", "index_select", "masked_fill"),
        *("scatter", "select_scatter", "slice_scatter", "as_strided_scatter", "where"),
        *("abs", "neg", "sgn", "sign", "relu", "ceil", "floor", "round", "trunc"),
        *("amax", "amin", "clamp", "clamp_max", "clamp_min", "max", "maximum", "min", "minimum"),
        *("max_pool2d_with_indices", "sort", "topk"),
    )
)

#: What the magnitudes of a call's terms sum to, by the call's number in a run, and of what call.
Magnitudes = dict[int, tuple[Any, Tensor]]


class Arithmetic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Computes in float64 what is written for float32, rounded anew by ``seed`` if there is one.

    Runs on one input share their ``magnitudes``, which differ between them by roundings only.
    """

    def __init__(self, seed: int | None, magnitudes: Magnitudes | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._magnitudes: Magnitudes = {} if magnitudes is None else magnitudes
        self._calls = 0  # that asked for magnitudes
        self._seed = seed
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = pytree.tree_map(wide, (args, kwargs or {}))
        rounds = self._generator is not None and _rounds(func, args)
        is_long = rounds and _terms(func, args) >= _MANY_TERMS
        if rounds and torch.Tag.pointwise not in func.tags:  # what is summed may cancel
            factor = _PRODUCTS[func] if is_long else None
            args = tuple(
                value if place == factor else pytree.tree_map_only(Tensor, self._perturbed, value)
                for place, value in enumerate(args)
            )
        result = self._of_equal_numbers(func, args, kwargs)
        if result is None:
            result = func(*args, **kwargs)
        result = pytree.tree_map(wide, result)
        if rounds and func in _TRANSFORMS:
            result = self._accumulated(func, args, result)
        if is_long:
            result = self._summed(func, args, result)
        if rounds and func is torch.ops.aten.cumsum.default:
            result = self._scanned(result, args[1])
        if rounds and _is_transform_over_axes(func, args):
            result = self._with_zeros_of_either_sign(result)
        return pytree.tree_map_only(Tensor, self._rounded, result) if rounds else result

    def _of_equal_numbers(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Return what sorts or picks in an order of equal numbers by seed, None of others."""
        if self._seed is None:
            return None
        return ordered(func, args, kwargs, last_first=self._seed % 2 == 1)

    def _accumulated(self, func: Any, args: Any, result: Tensor) -> Tensor:
        """Return a transform's result as a plain sum of its terms leaves it; exact zeros stay.

        A fast transform rounds log n times; a product with a matrix, as files have it instead,
        adds up n terms, whose partial sums are large where the whole one cancels.  The error is
        about the unit roundoff times the sum of all magnitudes, which is the zero frequency of
        their transform.
        """
        values, axes, *rest = args

        def summed() -> Tensor:
            spectrum: Tensor = func(values.abs().to(values.dtype), axes, *rest)
            return spectrum.abs().amax(axes, keepdim=True)

        sums = self._once(func, args, summed)
        parts = torch.view_as_real(result.resolve_conj()) if result.is_complex() else result
        limits = (_ROUNDING / 2) * (sums[..., None] if result.is_complex() else sums)
        noise = torch.rand(parts.shape, generator=self._generator, dtype=parts.dtype)
        parts = torch.where(parts == 0, parts, parts + limits * (2 * noise - 1))
        return torch.view_as_complex(parts) if result.is_complex() else parts

    def _summed(self, func: Any, args: Any, result: Tensor) -> Tensor:
        """Return a long product as another order of its sum leaves it; see `_accumulated`.

        Beside that, it matters little that one of the factors of its terms is rounded: that one, a
        network's weights of a hundred times the size of what they are applied to, is as it was.
        """
        sums = self._once(func, args, lambda: func(*pytree.tree_map_only(Tensor, torch.abs, args)))
        noise = torch.rand(result.shape, generator=self._generator, dtype=result.dtype)
        moved = result + (_ROUNDING / 2) * sums * (2 * noise - 1)
        return torch.where(result == 0, result, moved)

    def _scanned(self, result: Tensor, dim: int) -> Tensor:
        """Return running sums as one addition after the other leaves them: each rounds the last.

        PyTorch adds them up in float64 on a CPU; files do so in float32, one after the other.
        """
        if not (result.is_floating_point() or result.is_complex()):
            return result
        noise = torch.rand(result.shape, generator=self._generator, dtype=torch.float64)
        return result + (result * (noise * 2 - 1) * (_ROUNDING / 2)).cumsum(dim)

    def _once(self, func: Any, args: Any, compute: Callable[[], Tensor]) -> Tensor:
        """Return what ``compute`` gives, from the first of the runs that came here."""
        number, self._calls = self._calls, self._calls + 1
        shapes = [each.shape for each in pytree.tree_leaves(args) if isinstance(each, Tensor)]
        call = (func, shapes)
        if number not in self._magnitudes or self._magnitudes[number][0] != call:
            self._magnitudes[number] = call, compute()
        return self._magnitudes[number][1]

    def _with_zeros_of_either_sign(self, spectrum: Tensor) -> Tensor:
        """Return a spectrum whose exact zeros have signs drawn anew, which decide angles."""
        parts = torch.view_as_real(spectrum.resolve_conj())
        coins = torch.rand(parts.shape, generator=self._generator, dtype=parts.dtype) - 0.5
        signed = torch.where(parts == 0, torch.zeros_like(parts).copysign(coins), parts)
        return torch.view_as_complex(signed)

    def _rounded(self, tensor: Tensor) -> Tensor:
        """Return a result with other roundings; what float32 holds exactly has none."""
        narrow = _NARROWER.get(tensor.dtype)
        if narrow is None:
            return tensor
        exact = tensor == tensor.to(narrow).to(tensor.dtype)
        return torch.where(exact, tensor, self._perturbed(tensor))

    def _perturbed(self, tensor: Tensor) -> Tensor:
        """Return a tensor with each value changed by about the rounding of float32."""
        if tensor.is_complex():
            parts = self._perturbed(torch.view_as_real(tensor.resolve_conj()))
            return torch.view_as_complex(parts)
        if not tensor.is_floating_point():
            return tensor
        noise = torch.rand(tensor.shape, generator=self._generator, dtype=tensor.dtype)
        return tensor * noise.mul_(2).sub_(1).mul_(_ROUNDING).add_(1)


def _terms(func: Any, args: Any) -> int:
    """Return how many terms each value of a real product sums; 0 of any other operator."""
    place = _PRODUCTS.get(func)
    if place is None or any(isinstance(one, Tensor) and one.is_complex() for one in args):
        return 0
    factor = args[place]
    if func is torch.ops.aten.convolution.default:
        return int(factor.numel() // factor.shape[1 if args[6] else 0])
    return int(factor.shape[-2])


def _is_transform_over_axes(func: Any, args: Any) -> bool:
    """Tell a transform whose zeros may have either sign, as algorithm and length will have it.

    Over one axis of real numbers the imaginary parts of the zero and the Nyquist frequency are +0
    everywhere; the transform over another axis adds such zeros up and subtracts them.
    """
    aten = torch.ops.aten
    return func is aten._fft_c2c.default or (func is aten._fft_r2c.default and len(args[1]) > 1)


def wide(value: Any) -> Any:
    """Return a tensor or type of float32 as one of float64; any other value as it is."""
    if isinstance(value, torch.dtype):
        return _WIDER.get(value, value)
    if isinstance(value, Tensor) and value.dtype in _WIDER:
        return value.to(_WIDER[value.dtype])
    return value


def _rounds(func: Any, args: Any) -> bool:
    """Return whether an operator computes new numbers from others, into memory of its own."""
    if func.overloadpacket.__name__ in _EXACT:
        return False
    if any(returned.alias_info is not None for returned in func._schema.returns):
        return False  # a view, or in place
    return any(isinstance(value, Tensor) for value in pytree.tree_leaves(args))
