"""Convolutions as XNNPACK's quantizer, of ExecuTorch 1.5, takes them.

It takes ``aten.conv2d`` and its transpose alone, of weights with four axes, no batch norm but
``aten.batch_norm``, and no linear layer but ``aten.linear``, in place of which recordings have
``aten.addmm``.  Signals become pictures of width 1, and norms part of the weights::

    conv1d(B x C x T) -> batch norm -> relu -> conv1d
    unsqueeze -> conv2d(B x C x T x 1) -> relu -> conv2d -> squeeze
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter
from torch.fx import traceback as fx_traceback

aten = torch.ops.aten
_USUAL: dict[str, Any] = {
    "stride": (1,), "padding": (0,), "dilation": (1,), "transposed": False,
    "output_padding": (0,), "groups": 1,
}  # fmt: skip
#: The names of the arguments behind weight and bias.
_ARGUMENTS: dict[Any, tuple[str, ...]] = {
    aten.convolution.default: tuple(_USUAL),
    **dict.fromkeys(
        (aten.conv1d.default, aten.conv2d.default), ("stride", "padding", "dilation", "groups")
    ),
    **dict.fromkeys(
        (aten.conv_transpose1d.default, aten.conv_transpose2d.input),
        ("stride", "padding", "output_padding", "groups", "dilation"),
    ),
}
_TRANSPOSED = (aten.conv_transpose1d.default, aten.conv_transpose2d.input)
_RELUS = (aten.relu.default, aten.relu_.default)
#: Where the result is the first of several, and where the statistics' epsilon is.
_NORMS: dict[Any, tuple[bool, int]] = {
    aten.batch_norm.default: (False, 7),
    aten.native_batch_norm.default: (True, 7),
    aten._native_batch_norm_legit_no_training.default: (True, 6),
}


class OfPictures(nn.Module):
    """Computes what a graph of ATen calls does, with its convolutions rewritten."""

    def __init__(self, network: GraphModule) -> None:
        super().__init__()
        self.network = network

    def forward(self, *given: Tensor) -> Any:
        """Return what the graph gives."""
        with fx_traceback.preserve_node_meta():  # each call's module
            return _Rewriter(self.network).run(*given)


@dataclass(frozen=True)
class _Convolution:
    """A call, of what it takes as pictures."""

    picture: Tensor
    weight: Tensor
    bias: Tensor | None
    numbers: dict[str, Any]

    def __call__(self) -> Tensor:
        transposed = self.numbers["transposed"]
        operator = aten.conv_transpose2d.input if transposed else aten.conv2d.default
        others = (self.numbers[name] for name in _ARGUMENTS[operator])
        result: Tensor = operator(self.picture, self.weight, self.bias, *others)
        return result

    def scaled(self, factor: Tensor, offset: Tensor) -> _Convolution:
        """Return the convolution that gives ``factor`` times its result and ``offset``."""
        along = 1 if self.numbers["transposed"] else 0
        shape = [-1 if axis == along else 1 for axis in range(self.weight.ndim)]
        bias = offset if self.bias is None else self.bias * factor + offset
        return _Convolution(self.picture, self.weight * factor.view(shape), bias, self.numbers)


@dataclass(frozen=True)
class _Known:
    """A result, the picture that it is of, and the convolution that gave it."""

    result: Tensor
    picture: Tensor
    convolution: _Convolution | None = None


class _Rewriter(Interpreter):
    def __init__(self, graph: GraphModule) -> None:
        super().__init__(graph)
        self._called_with: set[int] = set()  # identities of parameters
        self._turned: dict[int, tuple[Tensor, Tensor]] = {}  # results, and the weights turned
        self._known: dict[int, _Known] = {}  # by the identity of results, which they keep alive

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make another call in place of a convolution, and of what stands right behind it."""
        if target in _ARGUMENTS and args[0].ndim == args[1].ndim in (3, 4):  # of a batch
            return self._convolved(self._convolution(target, args, kwargs), args[0].ndim)
        if target is aten.linear.default:
            return super().call_function(target, (args[0], *self._own(args[1:])), kwargs)
        if (linear := self._as_linear(target, args, kwargs)) is not None:
            return self.call_function(aten.linear.default, linear, {})
        known = self._known.get(id(args[0])) if args else None
        if known is not None and target in _RELUS:
            return self._kept(aten.relu.default(known.picture), known.result.ndim)
        if known is not None and known.convolution is not None and _is_affine(target, args):
            several, place = _NORMS[target]
            convolution = known.convolution.scaled(*_affine(args, place))
            result = self._convolved(convolution, known.result.ndim)
            return (result,) if several else result
        result = super().call_function(target, args, kwargs)
        if _turns_matrix(target, args) and isinstance(args[0], nn.Parameter):
            self._turned[id(result)] = (result, args[0])
        return result

    def _as_linear(
        self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...] | None:
        """Return the arguments of the linear layer that a product by turned weights is."""
        if target not in (aten.addmm.default, aten.mm.default) or kwargs:
            return None
        *bias, taken, weight = args
        turned = self._turned.get(id(weight))
        return None if turned is None else (taken, turned[1], *bias)

    def _convolution(
        self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> _Convolution:
        taken, weight, bias, *others = (*args, None)[: max(3, len(args))]
        numbers = _USUAL | {"transposed": target in _TRANSPOSED}
        numbers |= dict(zip(_ARGUMENTS[target], others, strict=False)) | kwargs
        weight, bias = self._own((weight, numbers.pop("bias", bias)))
        if taken.ndim == 4:
            return _Convolution(taken, weight, bias, numbers)
        for name, value in (("stride", 1), ("padding", 0), ("dilation", 1), ("output_padding", 0)):
            numbers[name] = [*numbers[name], value]
        known = self._known.get(id(taken))
        picture = known.picture if known is not None else taken.unsqueeze(-1)
        return _Convolution(picture, weight.unsqueeze(-1), bias, numbers)

    def _own(self, weights: Sequence[Any]) -> list[Any]:
        """Return weights of a call of its own: what several share gets the scales of one of them.

        That is of XNNPACK in ExecuTorch 1.5 (findings/executorch-shared-layer.sh).
        """
        own = [weight.clone() if id(weight) in self._called_with else weight for weight in weights]
        self._called_with |= {id(weight) for weight in weights if isinstance(weight, nn.Parameter)}
        return own

    def _convolved(self, convolution: _Convolution, axes: int) -> Tensor:
        together = convolution.numbers["transposed"] and convolution.numbers["groups"] > 1
        return self._kept(convolution(), axes, None if together else convolution)

    def _kept(self, picture: Tensor, axes: int, by: _Convolution | None = None) -> Tensor:
        result = picture.flatten(2) if axes == 3 else picture
        self._known[id(result)] = _Known(result, picture, by)
        return result


def _turns_matrix(target: Any, args: tuple[Any, ...]) -> bool:
    if target is aten.t.default:
        return True
    if target not in (aten.transpose.int, aten.permute.default) or args[0].ndim != 2:
        return False
    axes = args[1] if target is aten.permute.default else args[1:]
    return [axis % 2 for axis in axes] in ([1, 0], *([[0, 1]] if len(args) == 3 else []))


def _is_affine(target: Any, args: tuple[Any, ...]) -> bool:
    """Return whether a call is a batch norm by statistics that it is given."""
    if target is aten._native_batch_norm_legit_no_training.default:
        return True
    return target in _NORMS and not args[5]


def _affine(args: tuple[Any, ...], place: int) -> tuple[Tensor, Tensor]:
    """Return what a batch norm multiplies by and adds, for each channel."""
    _, weight, bias, mean, variance, *_ = args
    factor = (variance + args[place]).rsqrt()
    factor = factor if weight is None else factor * weight
    offset = -mean * factor
    return factor, offset if bias is None else offset + bias
