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

from affnet.export.operators import (
    activations,
    angles,
    logarithms,
    logic,
    quotients,
    statistics,
    windows,
)

Rule = Callable[..., Any]

aten = torch.ops.aten

#: By format, the operators that it lacks and that torch itself takes apart rightly.
TAKEN_APART_BY_TORCH: dict[str, tuple[Any, ...]] = {
    "coreml": (
        aten._fused_rms_norm.default,
        aten.addcdiv.default,
        aten.addcmul.default,
        aten.celu.default,
        aten.channel_shuffle.default,
        aten.cosine_similarity.default,
        aten.deg2rad.default,
        aten.heaviside.default,
        aten.huber_loss.default,
        aten.kron.default,
        aten.linalg_cross.default,
        aten.logit.default,
        aten.rms_norm.default,
        aten.sgn.default,
        aten.std.default,
        aten.std_mean.default,
        aten.std_mean.dim,
        aten.var.default,
        aten.var_mean.default,
        aten.var_mean.dim,
        aten.where.Scalar,
        aten.where.ScalarOther,
        aten.where.ScalarSelf,
    ),
}

#: By format, then by operator.
RULES: dict[str, dict[Any, Rule]] = {
    "coreml": {
        aten.__and__.Tensor: logic.of_truth_values(torch.logical_and),
        aten.__or__.Tensor: logic.of_truth_values(torch.logical_or),
        aten.__xor__.Tensor: logic.of_truth_values(torch.logical_xor),
        aten.angle.default: angles.angle,
        aten.atan2.default: angles.atan2,
        aten.col2im.default: windows.fold,
        aten.diff.default: windows.diff,
        aten.div.Scalar_mode: quotients.divide,
        aten.div.Tensor_mode: quotients.divide,
        aten.expm1.default: logarithms.expm1,
        aten.floor_divide.default: quotients.floor_divide,
        aten.gelu.default: activations.gelu,
        aten.log.default: logarithms.exact_at_zero(torch.log),
        aten.log10.default: logarithms.exact_at_zero(torch.log10),
        aten.log1p.default: logarithms.log1p,
        aten.log2.default: logarithms.exact_at_zero(torch.log2),
        aten.log_softmax.int: activations.log_softmax,
        aten.reciprocal.default: quotients.reciprocal,
        aten.rsqrt.default: quotients.rsqrt,
        aten.std.correction: statistics.over_named_axes(torch.std),
        aten.std_mean.correction: statistics.with_mean(torch.std),
        aten.unfold.default: windows.unfold,
        aten.var.correction: statistics.over_named_axes(torch.var),
        aten.var_mean.correction: statistics.with_mean(torch.var),
    },
    "executorch": {
        aten.angle.default: angles.angle,
    },
    "onnx": {
        aten.angle.default: angles.angle,
        aten.atan2.default: angles.atan2,
        aten.expm1.default: logarithms.expm1,
        aten.log1p.default: logarithms.log1p,
    },
    "tflite": {
        aten.angle.default: angles.angle,
        aten.expm1.default: logarithms.expm1,
        aten.log1p.default: logarithms.log1p,
    },
}


def replace_operators(program: ExportedProgram, format_: str) -> ExportedProgram:
    """Return ``program`` with the operators that ``format_`` gets wrong written in others.

    A program that holds none of them is returned as it is.
    """
    rules: dict[Any, Rule] = dict(RULES.get(format_, {}))
    taken_apart = TAKEN_APART_BY_TORCH.get(format_, ())
    held = {node.target for node in program.graph.nodes if node.op == "call_function"}
    if held.isdisjoint((*rules, *taken_apart)):
        return program
    if taken_apart:
        known = torch.export.default_decompositions()
        rules.update({target: known[target] for target in taken_apart})
    # all of them: what one gives another may have to replace
    replaced: ExportedProgram = program.run_decompositions(rules)
    return replaced
