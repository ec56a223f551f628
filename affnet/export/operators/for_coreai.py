"""What coreai-torch lacks or gets wrong; docs/formats.md says what was seen."""

from __future__ import annotations

from typing import Any

import torch

from affnet.export.operators import (
    angles,
    averages,
    resampling,
    statistics,
    substitutes,
    window_maxima,
    windows,
)
from affnet.export.operators.rule import Rule

aten = torch.ops.aten

#: Operators that torch itself takes apart into those below.
TAKEN_APART_BY_TORCH: tuple[Any, ...] = (
    aten.celu.default,
    aten.selu.default,
    aten.std.default,
    aten.std.dim,
    aten.std_mean.default,
    aten.std_mean.dim,
    aten.var.default,
    aten.var.dim,
    aten.var_mean.default,
    aten.var_mean.dim,
)

RULES: dict[Any, Rule] = {
    aten.amax.default: substitutes.extreme(torch.amax),
    aten.amin.default: substitutes.extreme(torch.amin),
    aten.angle.default: angles.angle,
    aten.argmax.default: substitutes.argmax,
    aten.argmin.default: substitutes.argmin,
    aten.avg_pool2d.default: averages.avg_pool2d,
    aten.col2im.default: windows.fold,
    aten.elu.default: substitutes.elu,
    aten.isnan.default: substitutes.isnan,
    aten.max_pool2d_with_indices.default: window_maxima.max_pool_with_indices,
    aten.remainder.Scalar: substitutes.remainder,
    aten.sort.default: substitutes.sort,
    aten.std.correction: statistics.deviation,
    aten.std_mean.correction: statistics.with_mean(statistics.deviation),
    aten.unfold.default: windows.unfold,
    aten.upsample_nearest2d.vec: resampling.upsample_nearest,
    aten.var.correction: statistics.variance,
    aten.var_mean.correction: statistics.with_mean(statistics.variance),
}
