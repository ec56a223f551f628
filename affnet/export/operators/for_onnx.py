"""What torch.onnx gets wrong or lacks; docs/formats.md says what was seen."""

from __future__ import annotations

from typing import Any

import torch

from affnet.export.operators import (
    angles,
    attention,
    contractions,
    logarithms,
    magnitudes,
    order_statistics,
    places,
    running_sums,
)
from affnet.export.operators.broadcast_terms import without_ones
from affnet.export.operators.rule import Rule
from affnet.export.operators.without_doubles import ONNX_RUNTIME, in_single

aten = torch.ops.aten

RULES: dict[Any, Rule] = {
    aten.angle.default: angles.angle,
    aten.atan2.default: angles.atan2,
    aten.bmm.default: contractions.matmul,
    aten.copysign.Scalar: magnitudes.copysign,
    aten.copysign.Tensor: magnitudes.copysign,
    aten.cumsum.default: running_sums.cumsum,
    aten.einsum.default: without_ones(contractions.as_product),
    aten.expm1.default: logarithms.expm1,
    aten.fmax.default: magnitudes.fmax,
    aten.fmin.default: magnitudes.fmin,
    aten.hypot.default: magnitudes.hypot,
    aten.kthvalue.default: order_statistics.kthvalue,
    aten.sort.stable: order_statistics.plain_sort,
    aten.log1p.default: logarithms.log1p,
    aten.log_sigmoid.default: logarithms.log_sigmoid,
    aten.matmul.default: contractions.matmul,
    aten.median.default: order_statistics.median,
    aten.median.dim: order_statistics.median_of_axis,
    aten.scaled_dot_product_attention.default: attention.scaled_dot_product_attention,
    aten.searchsorted.Tensor: places.searchsorted,
}
_ANGLES = (aten.angle.default, aten.atan2.default)  # by an arc tangent
RULES |= {target: in_single(target, RULES.get(target)) for target in (*ONNX_RUNTIME, *_ANGLES)}
