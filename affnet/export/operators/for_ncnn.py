"""What torch.onnx gets wrong or lacks, for ncnn; docs/formats.md says what was seen."""

from __future__ import annotations

from typing import Any

import torch

from affnet.export.operators import for_onnx
from affnet.export.operators.broadcast_terms import without_ones
from affnet.export.operators.rule import Rule

aten = torch.ops.aten

#: Without contractions as products, which end ncnn 1.0.20261020 where many axes are shared.
RULES: dict[Any, Rule] = {
    target: rule
    for target, rule in for_onnx.RULES.items()
    if target not in (aten.bmm.default, aten.matmul.default)
}
RULES[aten.einsum.default] = without_ones(lambda *_, **__: NotImplemented)
