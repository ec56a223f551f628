"""What the two routes to TFLite get wrong or lack; docs/formats.md says what was seen."""

from __future__ import annotations

from typing import Any

import torch

from affnet.export.operators import (
    activations,
    angles,
    attention,
    contractions,
    creation,
    grouped_convolution,
    indexing,
    logarithms,
    logic,
    magnitudes,
    order_statistics,
    padding,
    places,
    repetition,
    resampling,
    running_sums,
    scattering,
    transposed_convolution,
    window_maxima,
    windows,
)
from affnet.export.operators.rule import Rule
from affnet.export.operators.summed_axes import in_another_order

aten = torch.ops.aten

NUMBERS = False  # symbols of numbers that depend on the input
MOST_AXES = 5  # of a tensor, for many of LiteRT's kernels and of XNNPACK's
MORE_AXES_MAY_STAY = True
DOUBLES = False  # LiteRT has no kernels of float64

#: Operators that write at places of a tensor.
WRITING: tuple[Any, ...] = (
    aten.index_add.default,
    aten.index_copy.default,
    aten.index_fill.int_Scalar,
    aten.index_fill.int_Tensor,
    aten.scatter.src,
    aten.scatter.value,
    aten.scatter_add.default,
    aten.scatter_reduce.two,
)

RULES: dict[Any, Rule] = {
    **{operator: scattering.in_int32(operator) for operator in WRITING},
    aten.__xor__.Tensor: logic.of_truth_values(torch.ne),
    aten._unsafe_view.default: aten.view.default,  # which torch.onnx lacks
    aten._upsample_bicubic2d_aa.vec: resampling.antialiased("bicubic"),
    aten._upsample_bilinear2d_aa.vec: resampling.antialiased("bilinear"),
    aten.adaptive_max_pool1d.default: window_maxima.adaptive_max_pool,
    aten.adaptive_max_pool2d.default: window_maxima.adaptive_max_pool,
    aten.adaptive_max_pool3d.default: window_maxima.adaptive_max_pool,
    aten.angle.default: angles.angle,
    aten.argsort.default: order_statistics.argsort,
    aten.bitwise_xor.Tensor: logic.of_truth_values(torch.ne),
    aten.broadcast_to.default: repetition.expand,
    aten.bucketize.Tensor: places.bucketize,
    aten.col2im.default: windows.fold,
    aten.conv1d.padding: padding.convolution_padded_by_name(1),
    aten.conv2d.padding: padding.convolution_padded_by_name(2),
    aten.conv3d.default: grouped_convolution.conv3d,
    aten.conv3d.padding: grouped_convolution.conv3d,
    aten.conv_transpose1d.default: transposed_convolution.conv_transpose1d,
    aten.conv_transpose2d.input: transposed_convolution.conv_transpose2d,
    aten.convolution.default: transposed_convolution.recorded,
    aten.copysign.Scalar: magnitudes.copysign,
    aten.copysign.Tensor: magnitudes.copysign,
    aten.cumsum.default: running_sums.cumsum,
    aten.einsum.default: in_another_order(contractions.as_product),
    aten.exp2.default: logarithms.exp2,
    aten.expand.default: repetition.expand,
    aten.expand_as.default: repetition.expand_as,
    aten.expm1.default: logarithms.expm1,
    aten.eye.default: creation.eye,
    aten.eye.m: creation.eye,
    aten.flip.default: indexing.flip,
    aten.fmax.default: magnitudes.fmax,
    aten.fmin.default: magnitudes.fmin,
    aten.hypot.default: magnitudes.hypot,
    aten.index.Tensor: indexing.index,
    aten.index_put.default: scattering.in_int32(aten.index_put.default, indexing.fill_by_mask),
    aten.kthvalue.default: order_statistics.kthvalue,
    aten.msort.default: order_statistics.msort,
    aten.quantile.scalar: order_statistics.quantile,
    aten.sort.stable: order_statistics.stable_sort,
    aten.log1p.default: logarithms.log1p,
    aten.log_sigmoid.default: logarithms.log_sigmoid,
    aten.logical_xor.default: logic.of_truth_values(torch.ne),
    aten.max_pool1d_with_indices.default: window_maxima.max_pool_with_indices,
    aten.max_pool2d_with_indices.default: window_maxima.max_pool_with_indices,
    aten.max_pool3d_with_indices.default: window_maxima.max_pool_with_indices,
    aten.median.default: order_statistics.median,
    aten.median.dim: order_statistics.median_of_axis,
    aten.one_hot.default: places.one_hot,
    aten.pow.Tensor_Scalar: magnitudes.power,
    aten.repeat.default: repetition.repeat,
    aten.repeat_interleave.self_Tensor: repetition.repeat_interleave_each,
    aten.repeat_interleave.self_int: repetition.repeat_interleave,
    aten.rrelu.default: activations.rrelu,
    aten.scaled_dot_product_attention.default: attention.scaled_dot_product_attention,
    aten.searchsorted.Tensor: places.searchsorted,
    aten.slice_scatter.default: scattering.slice_scatter,
    aten.sort.default: order_statistics.sort,
    aten.tile.default: repetition.tile,
    aten.topk.default: indexing.topk,
    aten.unfold.default: windows.unfold,
    aten.upsample_bilinear2d.vec: resampling.upsample_linear,
    aten.upsample_nearest2d.vec: resampling.upsample_nearest,
}
