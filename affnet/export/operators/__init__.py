"""Operators that a format's converter gets wrong or lacks, written with those it gets right.

A rule is a function of the operator's own arguments that computes the same with other operators, as
torch's decompositions are; it returns NotImplemented where the operator is to stay.  Which rules a
format needs stands in `RULES`, with what was seen there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram

from affnet.export.operators import angles

Rule = Callable[..., Any]

aten = torch.ops.aten

#: By format, then by operator.
RULES: dict[str, dict[Any, Rule]] = {
    "coreml": {
        aten.angle.default: angles.angle,
        aten.atan2.default: angles.atan2,
    },
    "executorch": {
        aten.angle.default: angles.angle,
    },
    "onnx": {
        aten.angle.default: angles.angle,
        aten.atan2.default: angles.atan2,
    },
    "tflite": {
        aten.angle.default: angles.angle,
    },
}


def replace_operators(program: ExportedProgram, format_: str) -> ExportedProgram:
    """Return ``program`` with the operators that ``format_`` gets wrong written in others.

    A program that holds none of them is returned as it is.
    """
    rules = RULES.get(format_, {})
    held = {node.target for node in program.graph.nodes if node.target in rules}
    return (
        program.run_decompositions({target: rules[target] for target in held}) if held else program
    )
