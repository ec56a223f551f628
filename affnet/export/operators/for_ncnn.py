"""What torch.onnx gets wrong or lacks, for ncnn; docs/formats.md says what was seen."""

from __future__ import annotations

from typing import Any

from affnet.export.operators import contractions, for_onnx
from affnet.export.operators.rule import Rule

#: Without contractions as products, which end ncnn 1.0.20261020 where many axes are shared.
RULES: dict[Any, Rule] = {
    target: rule
    for target, rule in for_onnx.RULES.items()
    if rule not in (contractions.as_product, contractions.matmul)
}
