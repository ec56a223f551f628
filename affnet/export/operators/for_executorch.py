"""What ExecuTorch's converter lacks; docs/formats.md says what was seen."""

from __future__ import annotations

from typing import Any

import torch

from affnet.export.operators import angles, order_statistics
from affnet.export.operators.rule import Rule

aten = torch.ops.aten

MULTIPLES = False  # in sums of a number: torch.add(3, x, alpha=2)

RULES: dict[Any, Rule] = {
    aten.angle.default: angles.angle,
    aten.argsort.default: order_statistics.argsort,
    aten.kthvalue.default: order_statistics.kthvalue,
    aten.median.default: order_statistics.median,
    aten.median.dim: order_statistics.median_of_axis,
    aten.neg.default: angles.negative,
    aten.sort.default: order_statistics.sort,
}
