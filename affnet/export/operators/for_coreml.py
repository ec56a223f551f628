"""What Core ML's converter lacks or gets wrong; docs/formats.md says what was seen."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch._ops import OpOverload

from affnet.export.operators import (
    activations,
    angles,
    contractions,
    creation,
    indexing,
    logarithms,
    logic,
    magnitudes,
    order_statistics,
    padding,
    places,
    quotients,
    resampling,
    running_sums,
    statistics,
    window_maxima,
    windows,
)
from affnet.export.operators.broadcast_terms import without_ones
from affnet.export.operators.rule import Rule
from affnet.silence import silenced

aten = torch.ops.aten

MOST_AXES = 5  # of a tensor
MULTIPLES = False  # in sums: torch.add(x, y, alpha=2)

#: Operators that it lacks and that torch itself takes apart rightly.
TAKEN_APART_BY_TORCH: tuple[Any, ...] = (
    aten._fused_rms_norm.default,
    aten.addcdiv.default,
    aten.addcmul.default,
    aten.celu.default,
    aten.channel_shuffle.default,
    aten.cosine_similarity.default,
    aten.deg2rad.default,
    aten.heaviside.default,
    aten.huber_loss.default,
    aten.kron.default,
    aten.linalg_cross.default,
    aten.logit.default,
    aten.rms_norm.default,
    aten.sgn.default,
    aten.std.default,
    aten.std_mean.default,
    aten.std_mean.dim,
    aten.var.default,
    aten.var_mean.default,
    aten.var_mean.dim,
    aten.where.Scalar,
    aten.where.ScalarOther,
    aten.where.ScalarSelf,
)

RULES: dict[Any, Rule] = {
    aten.__and__.Tensor: logic.of_truth_values(torch.logical_and),
    aten.__or__.Tensor: logic.of_truth_values(torch.logical_or),
    aten.__xor__.Tensor: logic.of_truth_values(torch.logical_xor),
    aten._upsample_bicubic2d_aa.vec: resampling.antialiased("bicubic"),
    aten._upsample_bilinear2d_aa.vec: resampling.antialiased("bilinear"),
    aten.acosh.default: logarithms.acosh,
    aten.angle.default: angles.angle,
    aten.asinh.default: logarithms.asinh,
    aten.atan2.default: angles.atan2,
    aten.bucketize.Tensor: places.bucketize,
    aten.cdist.default: magnitudes.cdist,
    aten.col2im.default: windows.fold,
    aten.copysign.Scalar: magnitudes.copysign,
    aten.copysign.Tensor: magnitudes.copysign,
    aten.cumsum.default: running_sums.cumsum,
    aten.diagonal.default: indexing.diagonal,
    aten.diff.default: windows.diff,
    aten.div.Scalar_mode: quotients.divide,
    aten.div.Tensor_mode: quotients.divide,
    aten.einsum.default: without_ones(contractions.einsum),
    aten.expm1.default: logarithms.expm1,
    aten.fix.default: quotients.trunc,
    aten.floor_divide.default: quotients.floor_divide,
    aten.fmax.default: magnitudes.fmax,
    aten.fmin.default: magnitudes.fmin,
    aten.fmod.Scalar: quotients.fmod,
    aten.fmod.Tensor: quotients.fmod,
    aten.gelu.default: activations.gelu,
    aten.hypot.default: magnitudes.hypot,
    aten.index_put.default: indexing.index_put,
    aten.kthvalue.default: order_statistics.kthvalue,
    aten.sort.stable: order_statistics.plain_sort,
    aten.lerp.Scalar: magnitudes.lerp,
    aten.lerp.Tensor: magnitudes.lerp,
    aten.linalg_vector_norm.default: statistics.vector_norm,
    aten.log.default: logarithms.exact_at_zero(torch.log),
    aten.log10.default: logarithms.exact_at_zero(torch.log10),
    aten.log1p.default: logarithms.log1p,
    aten.log2.default: logarithms.exact_at_zero(torch.log2),
    aten.log_sigmoid.default: logarithms.log_sigmoid,
    aten.log_softmax.int: activations.log_softmax,
    aten.max.default: statistics.over_all_axes(torch.amax),
    aten.max_pool2d_with_indices.default: window_maxima.max_pool_with_indices,
    aten.mean.default: statistics.over_all_axes(torch.mean),
    aten.median.default: order_statistics.median,
    aten.median.dim: order_statistics.median_of_axis,
    aten.min.default: statistics.over_all_axes(torch.amin),
    aten.pad.default: padding.pad,
    aten.pow.Tensor_Scalar: quotients.square,
    aten.reciprocal.default: quotients.reciprocal,
    aten.round.decimals: quotients.round_decimals,
    aten.rsqrt.default: quotients.rsqrt,
    aten.scalar_tensor.default: creation.scalar_tensor,
    aten.searchsorted.Tensor: places.searchsorted,
    aten.std.correction: statistics.over_named_axes(torch.std),
    aten.std_mean.correction: statistics.with_mean(torch.std),
    aten.sum.default: statistics.over_all_axes(torch.sum),
    aten.trunc.default: quotients.trunc,
    aten.unfold.default: windows.unfold,
    aten.upsample_bilinear2d.vec: resampling.upsample_linear,
    aten.var.correction: statistics.over_named_axes(torch.var),
    aten.var_mean.correction: statistics.with_mean(torch.var),
}


@cache
def _functions() -> Any:
    with silenced():  # it warns of versions of torch that it has not been tried with
        registry = import_module("coremltools.converters.mil.frontend.torch.torch_op_registry")
    return registry._TORCH_OPS_REGISTRY


def is_known(target: OpOverload) -> bool:
    """Return whether coremltools has a function for an operator; what else is taken apart.

    Its front end for traces takes recurrent layers whole, the one for programs under no name.
    """
    names = (str(target), str(target.overloadpacket))
    return any(_functions().get_func(name) is not None for name in names)
