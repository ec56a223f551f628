"""What ExecuTorch's converter lacks; docs/formats.md says what was seen."""

from __future__ import annotations

from typing import Any

import torch

from affnet.export.operators import (
    activations,
    angles,
    logarithms,
    magnitudes,
    order_statistics,
    padding,
    places,
    quotients,
    running_sums,
    scattering,
    statistics,
    volumes,
    window_maxima,
)
from affnet.export.operators.rule import Rule

aten = torch.ops.aten

MULTIPLES = False  # in sums of a number: torch.add(3, x, alpha=2)

#: Operators that it lacks and that torch itself takes apart rightly.
TAKEN_APART_BY_TORCH: tuple[Any, ...] = (
    aten.cosine_similarity.default,
    aten.std_mean.default,
    aten.std_mean.dim,
    aten.var_mean.default,
    aten.var_mean.dim,
)

RULES: dict[Any, Rule] = {
    aten.adaptive_avg_pool3d.default: volumes.adaptive_avg_pool3d,
    aten.adaptive_max_pool1d.default: window_maxima.adaptive_max_pool,
    aten.adaptive_max_pool2d.default: window_maxima.adaptive_max_pool,
    aten.adaptive_max_pool3d.default: window_maxima.adaptive_max_pool,
    aten.angle.default: angles.angle,
    aten.argsort.default: order_statistics.argsort,
    aten.avg_pool3d.default: volumes.avg_pool3d,
    aten.bucketize.Tensor: places.bucketize,
    aten.clamp_max.Tensor: torch.minimum,
    aten.clamp_min.Tensor: torch.maximum,
    aten.conv3d.default: volumes.conv3d,
    aten.conv3d.padding: padding.convolution_padded_by_name(3),
    aten.conv_transpose3d.input: volumes.conv_transpose3d,
    aten.convolution.default: volumes.recorded,
    aten.copysign.Scalar: magnitudes.copysign,
    aten.copysign.Tensor: magnitudes.copysign,
    aten.cumsum.default: running_sums.cumsum,
    aten.exp2.default: logarithms.exp2,
    aten.fmax.default: magnitudes.fmax,
    aten.fmin.default: magnitudes.fmin,
    aten.hypot.default: magnitudes.hypot,
    aten.kthvalue.default: order_statistics.kthvalue,
    aten.msort.default: order_statistics.msort,
    aten.quantile.scalar: order_statistics.quantile,
    aten.sort.stable: order_statistics.stable_sort,
    aten.max_pool3d.default: volumes.max_pool3d,
    aten.max_pool3d_with_indices.default: window_maxima.max_pool_with_indices,
    aten.median.default: order_statistics.median,
    aten.median.dim: order_statistics.median_of_axis,
    aten.neg.default: angles.negative,
    aten.pad.default: padding.pad,
    aten.round.decimals: quotients.round_decimals,
    aten.rrelu.default: activations.rrelu,
    aten.scatter_reduce.two: scattering.scatter_reduce,
    aten.searchsorted.Tensor: places.searchsorted,
    aten.sort.default: order_statistics.sort,
    aten.std_mean.correction: statistics.with_mean(torch.std),
    aten.var_mean.correction: statistics.with_mean(torch.var),
}
