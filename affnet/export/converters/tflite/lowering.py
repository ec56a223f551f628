"""litert-torch's way from a network to its program, without what it does twice.

What is left out here changes no file's results; it is left to litert-torch as it is where the
version installed does not have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from torch.export import ExportedProgram

from affnet.export.converters.tracing import traced_once


@contextmanager
def with_one_trace() -> Iterator[None]:
    """Have litert-torch trace a network and decompose it in one go."""
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

    core.export_torch_signature = export_decomposed
    try:
        yield
    finally:
        core.export_torch_signature = export
