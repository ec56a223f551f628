"""Operators on float64 that a runtime has kernels of for float32 alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_any_only, tree_map_only

from affnet.export.operators.rule import Rule

aten = torch.ops.aten

#: Of what ONNX Runtime's provider for CPUs has no kernel, or none of an operator in it.
ONNX_RUNTIME: tuple[Any, ...] = (
    *(aten.conv1d.default, aten.conv2d.default, aten.conv3d.default, aten.convolution.default),
    *(aten.conv1d.padding, aten.conv2d.padding, aten.conv3d.padding),
    *(aten.conv_transpose1d.default, aten.conv_transpose2d.input, aten.conv_transpose3d.input),
    *(aten.avg_pool1d.default, aten.avg_pool2d.default, aten.avg_pool3d.default),
    *(aten.adaptive_avg_pool1d.default, aten.adaptive_avg_pool2d.default),
    *(aten.upsample_linear1d.vec, aten.upsample_bilinear2d.vec, aten.upsample_bicubic2d.vec),
    *(aten.upsample_nearest1d.vec, aten.upsample_nearest2d.vec, aten.upsample_trilinear3d.vec),
    *(aten.group_norm.default, aten.instance_norm.default, aten.softplus.default),
    *(aten.elu.default, aten.selu.default, aten.gelu.default, aten.leaky_relu.default),
    *(aten.prelu.default, aten.hardsigmoid.default, aten.hardswish.default, aten.mish.default),
    *(aten.tan.default, aten.asin.default, aten.acos.default, aten.atan.default),
    *(aten.sinh.default, aten.cosh.default, aten.asinh.default, aten.acosh.default),
    *(aten.atanh.default, aten.erf.default),
)


def in_single(target: Any, rule: Rule | None = None) -> Rule:
    """Return the rule of ``target`` that computes float64 in float32; ``rule`` has all others."""

    def narrowed(*args: Any, **kwargs: Any) -> Any:
        if not tree_any_only(Tensor, _is_double, (args, kwargs)):
            return rule(*args, **kwargs) if rule else NotImplemented
        args, kwargs = tree_map_only(Tensor, _single, (args, kwargs))
        found = rule(*args, **kwargs) if rule else NotImplemented
        found = target(*args, **kwargs) if found is NotImplemented else found
        return found.double()

    return narrowed


def _is_double(tensor: Tensor) -> bool:
    return tensor.dtype is torch.float64


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if _is_double(tensor) else tensor
