"""Operators that a format's converter gets wrong or lacks, written with those it gets right.

Each format that needs any has a table here, ``for_FORMAT``, of a rule for each such operator; a
format that is made from another's file takes that one's.  `other_names` holds for all of them.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch._ops import OpOverload
from torch.export import ExportedProgram

from affnet.export.operators import other_names
from affnet.export.operators.doubles import in_single_precision
from affnet.export.operators.empties import without_empty_tensors
from affnet.export.operators.numbers import numbers_as_tensors
from affnet.export.operators.recorded import interpolation_as_called
from affnet.export.operators.rule import Rule
from affnet.export.operators.sums import with_products_apart
from affnet.export.operators.unbatched import with_batches
from affnet.export.operators.views import decomposed
from affnet.export.operators.wide_tensors import without_wide_tensors

_MAX_ROUNDS = 4  # of composite operators in composite operators

TABLES = ("coreai", "coreml", "executorch", "ncnn", "onnx", "tflite")


def _table(format_: str | None) -> Any:
    if format_ not in TABLES:
        return None
    return importlib.import_module(f"affnet.export.operators.for_{format_}")


def rules_for(format_: str | None) -> dict[Any, Rule]:
    """Return the rules of a format, by operator; torch's own among them."""
    if (table := _table(format_)) is None:
        return {}
    rules: dict[Any, Rule] = {**other_names.RULES, **table.RULES}
    if taken_apart := getattr(table, "TAKEN_APART_BY_TORCH", ()):
        known = torch.export.default_decompositions()
        rules.update({target: known[target] for target in taken_apart})
    return rules


def replace_operators(program: ExportedProgram, format_: str | None) -> ExportedProgram:
    """Return ``program`` with the operators that ``format_`` gets wrong written in others.

    A program that holds none of them is returned as it is.

    Raises:
        RewriteError: a tensor has more axes than ``format_`` holds, and none can be merged.
    """
    table = _table(format_)
    if table:
        program = interpolation_as_called(without_empty_tensors(program))
    if not getattr(table, "NUMBERS", True):
        program = numbers_as_tensors(program)
    if not getattr(table, "MULTIPLES", True):
        program = with_products_apart(program)
    if not getattr(table, "DOUBLES", True):
        program = in_single_precision(program)
    for _ in range(_MAX_ROUNDS):
        held = _held(program)
        rules = with_batches(program, rules_for(format_))
        unknown = _taken_apart(format_, held - set(rules))
        if held.isdisjoint(rules) and not unknown:
            break
        # all of them: what one gives another may have to replace
        program = decomposed(program, {**rules, **unknown})
        if not unknown:
            break
    if most := getattr(table, "MOST_AXES", None):
        some_may_stay = getattr(table, "MORE_AXES_MAY_STAY", False)
        program = without_wide_tensors(program, most, str(format_), some_may_stay=some_may_stay)
    return program


def _held(program: ExportedProgram) -> set[Any]:
    """Return the operators of a program; of one that writes in place, the one that does not too."""
    held = {node.target for node in program.graph.nodes if node.op == "call_function"}
    return held | {_returning(target) for target in held if isinstance(target, OpOverload)}


def _returning(target: OpOverload) -> Any:
    """Return ``aten.relu`` for ``aten.relu_``, which decompositions make of it first."""
    name = target.overloadpacket.__name__
    if not target._schema.is_mutable or not name.endswith("_"):
        return target
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None)
    return getattr(packet, target._overloadname, target)


def _taken_apart(format_: str | None, targets: set[Any]) -> dict[Any, Rule]:
    """Return how torch takes apart those of ``targets`` that a format's converter does not know."""
    table = _table(format_)
    is_known = getattr(table, "is_known", None)
    if is_known is None:
        return {}
    operators = [target for target in targets if isinstance(target, OpOverload)]
    if not (unknown := [target for target in operators if not is_known(target)]):
        return {}
    known = torch.export.default_decompositions()
    return {target: known[target] for target in unknown if target in known}
