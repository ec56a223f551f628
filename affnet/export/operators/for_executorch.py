"""What ExecuTorch's converter lacks; docs/formats.md says what was seen."""

from __future__ import annotations

from typing import Any

import torch

from affnet.export.operators import angles
from affnet.export.operators.rule import Rule

aten = torch.ops.aten

RULES: dict[Any, Rule] = {
    aten.angle.default: angles.angle,
    aten.neg.default: angles.negative,
}
