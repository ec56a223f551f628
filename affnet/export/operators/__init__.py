"""Operators that a format's converter gets wrong or lacks, written with those it gets right.

A rule is a function of the operator's own arguments that computes the same with other operators, as
torch's decompositions are; it returns NotImplemented where the operator is to stay.  Which rules a
format needs stands in `RULES`, with what was seen there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._decomp import get_decompositions
from torch.export import ExportedProgram

from affnet.export.operators import angles, logarithms, reciprocals, windows

Rule = Callable[..., Any]

aten = torch.ops.aten

# What coremltools lacks and torch itself takes apart; `diff` and others are composites, below.
_BY_TORCH = (
    aten.celu.default,
    aten.erfc.default,
    aten.hardshrink.default,
    aten.isinf.default,
    aten.log_sigmoid_forward.default,
    aten.logit.default,
    aten.sinc.default,
    aten.sgn.default,
    aten.where.ScalarOther,
    aten.where.ScalarSelf,
    aten.where.Scalar,
)

#: By format, then by operator.
RULES: dict[str, dict[Any, Rule]] = {
    "coreml": {
        aten.angle.default: angles.angle,
        aten.atan2.default: angles.atan2,
        aten.diff.default: windows.diff,
        aten.expm1.default: logarithms.expm1,
        aten.log.default: logarithms.exact_at_zero(torch.log),
        aten.log10.default: logarithms.exact_at_zero(torch.log10),
        aten.log1p.default: logarithms.log1p,
        aten.log2.default: logarithms.exact_at_zero(torch.log2),
        aten.reciprocal.default: reciprocals.reciprocal,
        aten.rsqrt.default: reciprocals.rsqrt,
        aten.unfold.default: windows.unfold,
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
    if any(node.target in rules for node in program.graph.nodes):
        return program.run_decompositions(rules)  # all: a rule may give operators of another
    return program
