"""What PyTorch computes, and how far float32 determines it.

Near the cut of an angle, at 0 / 0 or where everything cancels, another order of the same float32
additions gives another result, and a file that differs there is not wrong.  How far that goes is
found by running the network again in float64, once as it is and a few times with what each
operator rounds or sums changed by about the rounding of float32, as Monte Carlo arithmetic does
(D. S. Parker, "Monte Carlo Arithmetic: exploiting randomness in floating-point arithmetic", UCLA
CSD-970002, 1997).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from affnet.artifact import Arrays, TensorSpec
from affnet.errors import UsageError, first_line
from affnet.export.passes.heads import AnchorBoxes, ClassMap, Detector, Probabilities
from affnet.export.verification.inputs import VerificationInput, usual_inputs
from affnet.export.verification.subject import Outputs, split_outputs
from affnet.model.source import Source

_WIDER = {torch.float32: torch.float64, torch.complex64: torch.complex128}
_NARROWER = {wide: narrow for narrow, wide in _WIDER.items()}
_ROUNDING = 2.0**-23  # of float32, relative
#: How often to run again with other roundings: few times, and more where that explains nothing.
RERUNS = (6, 16)

_TRANSFORMS = frozenset(
    (
        torch.ops.aten._fft_r2c.default,
        torch.ops.aten._fft_c2c.default,
        torch.ops.aten._fft_c2r.default,
    )
)

# Operators whose results are numbers that were there before: nothing is rounded.
#: Products, and which argument holds the factors of the terms that each of its values sums.
_PRODUCTS = {
    torch.ops.aten.convolution.default: 1,
    torch.ops.aten.mm.default: 1,
    torch.ops.aten.bmm.default: 1,
    torch.ops.aten.addmm.default: 2,
}
#: From here on the order of a sum matters more than what its terms are rounded to.
_MANY_TERMS = 512

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


def outputs_of(result: Any) -> tuple[Tensor, ...]:
    """Return a network's outputs, one or several, as a tuple."""
    return result if isinstance(result, tuple) else (result,)


def reference_outputs(source: Source, arrays: Arrays) -> Outputs:
    """Return what PyTorch gives, one array for each output.

    ``arrays`` are what the network takes: images, N x 3 x H x W in 0..1, whose outputs are joined
    on the first axis, or an array for each input.

    Raises:
        UsageError: a network of the user's own fails on them.
    """
    if not source.input.is_image:
        try:
            with torch.inference_mode():  # copies, as a network may write to what it is given
                outputs = outputs_of(source.model(*map(torch.tensor, arrays)))
                return [output.numpy() for output in outputs]
        except Exception as error:  # the user's own code
            raise UsageError(
                f"{source.name} fails on an input that it is verified on "
                f"({type(error).__name__}: {first_line(error)})",
                "let build() return an example whose numbers span all that it takes.",
            ) from error
    (images,) = arrays
    step = 1 if source.task in ("segmentation", "detection") else 50  # maps take memory
    with torch.inference_mode():
        batches = [
            outputs_of(source.model(batch)) for batch in torch.split(torch.from_numpy(images), step)
        ]
    return [torch.cat(parts).numpy() for parts in zip(*batches, strict=True)]


class Reference:
    """PyTorch's side of a comparison: each input's outputs, computed once for all files."""

    def __init__(self, source: Source) -> None:
        network = source.model
        # what follows it in a file is compared apart
        if isinstance(network, AnchorBoxes | ClassMap | Detector | Probabilities):
            network = network.network
        self.network = network
        self.source = dataclasses.replace(source, model=network)  # without a head
        self._usual: dict[tuple[tuple[TensorSpec, ...], bool], list[VerificationInput]] = {}
        self._outputs: dict[tuple[int, ...], tuple[Arrays, Outputs]] = {}  # by arrays' ids

    def usual_inputs(self, taken: tuple[TensorSpec, ...], *, half: bool) -> list[VerificationInput]:
        """Return `affnet.export.verification.inputs.usual_inputs`, the same ones each time."""
        key = (taken, half)
        if key not in self._usual:
            self._usual[key] = usual_inputs(taken, self.source.example, half=half)
        return self._usual[key]

    def outputs(self, inputs: Sequence[Arrays]) -> list[Outputs]:
        """Return the outputs for each of ``inputs``; images may be several, N x 3 x H x W."""
        new = [arrays for arrays in inputs if _key(arrays) not in self._outputs]
        for arrays, outputs in zip(new, self._computed(new), strict=True):
            self._outputs[_key(arrays)] = (arrays, outputs)  # alive, so that no other gets its id
        return [self._outputs[_key(arrays)][1] for arrays in inputs]

    def _computed(self, inputs: Sequence[Arrays]) -> list[Outputs]:
        if not inputs:
            return []
        if not self.source.input.is_image:
            return [reference_outputs(self.source, arrays) for arrays in inputs]
        images = np.concatenate([images for (images,) in inputs])
        return split_outputs(reference_outputs(self.source, (images,)), inputs)


def _key(arrays: Arrays) -> tuple[int, ...]:
    return tuple(map(id, arrays))


def uncertainties(
    network: nn.Module, arrays: Arrays, outputs: Outputs
) -> Iterator[list[NDArray[np.float64]]]:
    """Yield how far float32 leaves each value of ``outputs`` open, from ever more runs.

    Args:
        network: what gave them, in eval mode.
        arrays: its inputs.
        outputs: what it gave in float32.

    Yields:
        After each number of `RERUNS`, for each output the largest distance, value by value, of its
        float32 result and of results with other roundings from that in float64; infinity where one
        of them is no finite number.
    """
    network = _widened(network)
    exact = _run(network, arrays, _Arithmetic(None))
    if exact is None:  # an operator that float64 lacks: nothing is known, and nothing open
        yield [np.zeros(output.shape) for output in outputs]
        return
    spreads = list(map(_distance, outputs, exact))
    for seed in range(RERUNS[-1]):
        found = _run(network, arrays, _Arithmetic(seed)) or outputs
        spreads = list(map(np.maximum, spreads, map(_distance, found, exact)))
        if seed + 1 in RERUNS:
            yield spreads


def outputs_in_float64(network: nn.Module, arrays: Arrays) -> list[NDArray[np.float64]] | None:
    """Return what a network written for float32 gives in float64, None if it does not run so."""
    return _run(_widened(network), arrays, _Arithmetic(None))


def _widened(network: nn.Module) -> nn.Module:
    network = copy.deepcopy(network)
    network._apply(_wide)  # type: ignore[no-untyped-call]  # some operators ask for types first
    return network


def _distance(value: NDArray[Any], centre: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        distance = np.abs(np.asarray(value, np.float64) - centre)
    return np.where(np.isnan(distance), np.inf, distance)


def _run(network: nn.Module, arrays: Arrays, mode: _Arithmetic) -> list[NDArray[np.float64]] | None:
    """Return the outputs under ``mode``, None where the network does not run so."""
    try:
        with torch.no_grad(), mode:
            outputs = outputs_of(network(*map(_wide, map(torch.tensor, arrays))))
        return [output.double().numpy() for output in outputs]
    except Exception:  # of any kind: it was written for float32
        return None


class _Arithmetic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Computes in float64 what is written for float32, rounded anew by ``seed`` if there is one."""

    def __init__(self, seed: int | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = pytree.tree_map(_wide, (args, kwargs or {}))
        rounds = self._generator is not None and _rounds(func, args)
        if rounds and torch.Tag.pointwise not in func.tags:  # what is summed may cancel
            args = pytree.tree_map_only(Tensor, self._perturbed, args)
        result = pytree.tree_map(_wide, func(*args, **kwargs))
        if rounds and func in _TRANSFORMS:
            result = self._accumulated(func, args, result)
        if rounds and _terms(func, args) >= _MANY_TERMS:
            result = self._summed(func, args, result)
        if rounds and _is_transform_over_axes(func, args):
            result = self._with_zeros_of_either_sign(result)
        return pytree.tree_map_only(Tensor, self._rounded, result) if rounds else result

    def _accumulated(self, func: Any, args: Any, result: Tensor) -> Tensor:
        """Return a transform's result as a plain sum of its terms leaves it; exact zeros stay.

        A fast transform rounds log n times; a product with a matrix, as files have it instead,
        adds up n terms, whose partial sums are large where the whole one cancels.  The error is
        about the unit roundoff times the sum of all magnitudes, which is the zero frequency of
        their transform.
        """
        values, axes, *rest = args
        sums = func(values.abs().to(values.dtype), axes, *rest).abs().amax(axes, keepdim=True)
        parts = torch.view_as_real(result.resolve_conj()) if result.is_complex() else result
        limits = (_ROUNDING / 2) * (sums[..., None] if result.is_complex() else sums)
        noise = torch.rand(parts.shape, generator=self._generator, dtype=parts.dtype)
        parts = torch.where(parts == 0, parts, parts + limits * (2 * noise - 1))
        return torch.view_as_complex(parts) if result.is_complex() else parts

    def _summed(self, func: Any, args: Any, result: Tensor) -> Tensor:
        """Return a long product as another order of its sum leaves it; see `_accumulated`."""
        sums = func(*pytree.tree_map_only(Tensor, torch.abs, args))
        noise = torch.rand(result.shape, generator=self._generator, dtype=result.dtype)
        moved = result + (_ROUNDING / 2) * sums * (2 * noise - 1)
        return torch.where(result == 0, result, moved)

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
        return tensor * (1 + _ROUNDING * (2 * noise - 1))


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


def _wide(value: Any) -> Any:
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
