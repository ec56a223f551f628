"""Operators that a format's converter gets wrong or lacks, written with those it gets right.

Each format that needs any has a table here, ``for_FORMAT``, of a rule for each such operator; a
format that is made from another's file takes that one's.  `other_names` holds for all of them.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch.export import ExportedProgram

from affnet.export.operators import other_names
from affnet.export.operators.rule import Rule

TABLES = ("coreai", "coreml", "executorch", "onnx", "tflite")


def rules_for(format_: str | None) -> dict[Any, Rule]:
    """Return the rules of a format, by operator; torch's own among them."""
    if format_ not in TABLES:
        return {}
    table = importlib.import_module(f"affnet.export.operators.for_{format_}")
    rules: dict[Any, Rule] = {**other_names.RULES, **table.RULES}
    if taken_apart := getattr(table, "TAKEN_APART_BY_TORCH", ()):
        known = torch.export.default_decompositions()
        rules.update({target: known[target] for target in taken_apart})
    return rules


def replace_operators(program: ExportedProgram, format_: str | None) -> ExportedProgram:
    """Return ``program`` with the operators that ``format_`` gets wrong written in others.

    A program that holds none of them is returned as it is.
    """
    rules = rules_for(format_)
    held = {node.target for node in program.graph.nodes if node.op == "call_function"}
    if held.isdisjoint(rules):
        return program
    # all of them: what one gives another may have to replace
    replaced: ExportedProgram = program.run_decompositions(rules)
    return replaced
