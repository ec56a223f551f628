"""Operators that a converter lacks: the user's line that made one, and what to write instead."""

from __future__ import annotations

import re

from torch._ops import OpOverload
from torch.export import ExportedProgram

from affnet.errors import AffnetError
from affnet.model.stack_traces import source_line

#: As torch, coremltools, litert-torch and ExecuTorch name one.
_OPERATOR = re.compile(r"\b(?:aten(?:\.|::)|fx node |op ')_?(\w+)")
#: What converters say in place of an operator's name.
_MEANT = {"boolean indices must be concrete": "index"}
_SORT = "sort the values and take those of a place: x.sort(dim).values.select(dim, place)."
_SCAN = "write the steps out: each is a slice and a product or maximum with the one before."
_SOLVE = (
    "systems of up to 64 unknowns are solved, in networks with transforms or complex values: take "
    "a fixed number of steps of an iteration (conjugate gradients), or solve it outside of the "
    "network."
)
_INSTEAD = {
    "median": _SORT,
    "nanmedian": _SORT,
    "kthvalue": _SORT,
    "cumprod": _SCAN,
    "cummax": _SCAN,
    "cummin": _SCAN,
    "logcumsumexp": _SCAN,
    "searchsorted": "compare with all bounds and sum: (x[..., None] > bounds).sum(-1).",
    "index": (
        "choose between values by torch.where(mask, x, 0), as how many a mask picks depends on "
        "values, or export to another format (--format)."
    ),
    "linalg_solve": _SOLVE,
    "linalg_inv": _SOLVE,
    "linalg_lstsq": _SOLVE,
    "bucketize": "compare with all bounds and sum: (x[..., None] > bounds).sum(-1).",
}
_OTHERWISE = (
    "write that line with arithmetic, products, gather, sort or reductions, or export to another "
    "format (--format)."
)


def with_line(error: AffnetError, program: ExportedProgram) -> AffnetError:
    """Return a converter's error with the line of the operator that it names, and a remedy.

    An error that names no operator of the program, or has a remedy already, is returned as it is.
    """
    if error.remedy is not None:
        return error
    named = dict.fromkeys(_OPERATOR.findall(error.problem))
    named |= dict.fromkeys(name for said, name in _MEANT.items() if said in error.problem)
    for name in map(_whole, named):
        for node in program.graph.nodes:
            if not isinstance(node.target, OpOverload):
                continue
            if _whole(node.target._schema.name.removeprefix("aten::").strip("_")) != name:
                continue
            if line := source_line(node):
                return _with_line(error, name, line)
    return error


def _with_line(error: AffnetError, name: str, line: str) -> AffnetError:
    if line in error.problem:  # of the rewrite, which is the same for every format
        return type(error)(error.problem, _INSTEAD.get(name))
    remedy = _INSTEAD.get(name, _OTHERWISE)
    return type(error)(f"{error.problem}; {name} is from {line}", remedy)


def _whole(name: str) -> str:
    """Return the operator that the one called ``name`` is a part of: cdist, linalg_solve."""
    return name.strip("_").removesuffix("_forward").removesuffix("_ex").removesuffix("_copy")
