"""litert-torch's way from a network to its program, without what it does twice or mixes up.

It traces a network, decomposes what it traced, traces that again with its maps channels last, and a
third time to decompose the two operators that the second kept for nobody.

What is left out here changes no file's results; it is left to litert-torch as it is where the
version installed does not have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch
from torch.export import ExportedProgram

from affnet.export.converters.patches import replaced
from affnet.export.converters.tracing import run_once, traced_once

aten = torch.ops.aten

#: What litert-torch keeps until after the second trace, though nothing in between asks for it.
_KEPT = (aten.conv2d.default, aten.addmm.default)

# What it is decomposed to is for rows alone, which the first trace has made maps of.
_CONVOLUTION = aten.convolution.default


@contextmanager
def with_fewer_traces() -> Iterator[None]:
    """Have litert-torch trace a network twice, where it needs no more, instead of four times."""
    with run_once(), _traced_and_decomposed_at_once(), _without_a_third_trace():
        yield


@contextmanager
def with_constants_kept_apart() -> Iterator[None]:
    """Have litert-torch 0.10 take no constant for another.

    It knows those that it has written by their address in memory, also those that it copied to
    write them, as it does with transposed ones, and freed: the next copy of the same shape at that
    address became the first one's values, without a word.  Held here, no address comes twice.
    """
    module: Any = import_module("litert_torch.backend.inline_consts")
    fingerprint: Any = getattr(module, "_ConstantFingerprint", None)
    if not hasattr(fingerprint, "from_tensor"):
        yield
        return
    known, held = fingerprint.from_tensor, []

    def from_tensor(tensor: torch.Tensor) -> Any:
        held.append(tensor)
        return known(tensor)

    with replaced(fingerprint, "from_tensor", staticmethod(from_tensor)):
        yield


@contextmanager
def _traced_and_decomposed_at_once() -> Iterator[None]:
    core: Any = import_module("litert_torch._convert.core")
    infrastructure = import_module("litert_torch.fx_infra")
    export = getattr(core, "export_torch_signature", None)
    if export is None or not hasattr(infrastructure, "decomp"):
        yield
        return

    def export_decomposed(signature: Any, **options: Any) -> ExportedProgram:
        table = infrastructure.decomp.pre_convert_decomp()
        program = traced_once(signature.module, signature.args, table)
        if program is None:
            found: ExportedProgram = export(signature, **options)
            return found
        program.graph.eliminate_dead_code()
        program.graph_module.recompile()
        return program

    with replaced(core, "export_torch_signature", export_decomposed):
        yield


@contextmanager
def _without_a_third_trace() -> Iterator[None]:
    """Decompose in the second trace what only a third would have; that is then left out."""
    infrastructure: Any = import_module("litert_torch.fx_infra")
    module: Any = import_module("litert_torch.fx_infra._safe_run_decompositions")
    decompose = getattr(module, "safe_run_decompositions", None)
    if decompose is None or not hasattr(infrastructure, "decomp"):
        yield
        return
    all_of_them = infrastructure.decomp.pre_lower_decomp()
    kept = {operator: all_of_them[operator] for operator in _KEPT if operator in all_of_them}

    def second(program: ExportedProgram, table: Any, can_skip: bool = True) -> ExportedProgram:
        found: ExportedProgram = decompose(program, table or kept, can_skip)
        return found

    def third(program: ExportedProgram, table: Any, **_: bool) -> ExportedProgram:
        others = {key: value for key, value in table.items() if key is not _CONVOLUTION}
        found: ExportedProgram = decompose(program, others, can_skip=True)
        return found

    with (
        replaced(module, "safe_run_decompositions", second),
        replaced(infrastructure, "safe_run_decompositions", third),
    ):
        yield
