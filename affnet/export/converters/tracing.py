"""A network as a program of decomposed operators, traced once.

``torch.export.export(network, example).run_decompositions(table)`` traces twice: for a program that
could still be trained, and that program for one that cannot.  ``torch.export`` can trace a network
for the latter at once, as it did before it had the former, though no public function says so any
more.  Traced so it has the same operators, but for ``aten._assert_tensor_metadata``, which checks
what the trace has found already and computes nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from affnet.export.converters import ConversionRequest
from affnet.model.open_lengths import dimension

aten = torch.ops.aten

Table = Mapping[Any, Callable[..., Any]]

_PRIVATE = (
    ("torch.export._trace", "_export"),
    ("torch.export._trace", "_export_to_aten_ir"),
    ("torch.export.exported_program", "_override_composite_implicit_decomp"),
    ("torch.export.exported_program", "_split_decomp_table_to_cia_and_python_decomp"),
)


def decomposed(
    network: nn.Module, example: tuple[Tensor, ...], table: Table, shapes: Any = None
) -> ExportedProgram:
    """Return ``network`` as a program of ``example``'s shape, its operators decomposed.

    ``table`` is what `ExportedProgram.run_decompositions` takes, and ``shapes`` what
    `dynamic_shapes` gives.  What cannot be traced raises as
    `torch.export.export` does, nearly every kind.
    """
    program = traced_once(network, example, table, shapes)
    if program is None:
        program = torch.export.export(network, example, dynamic_shapes=shapes)
        program = program.run_decompositions(dict(table))
    return program


def dynamic_shapes(network: nn.Module, request: ConversionRequest) -> Any:
    """Return what `torch.export.export` takes of that name, None where all axes are fixed."""
    if not request.dynamic:
        return None
    known = {axis.name: dimension(axis) for axis in request.dynamic}
    shapes = tuple(
        {axis: known[name] for axis, name in enumerate(spec.shape) if isinstance(name, str)}
        for spec in request.inputs
    )
    parameters = inspect.signature(network.forward).parameters.values()
    takes_any = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
    return (shapes,) if takes_any else shapes


def exported(network: nn.Module, request: ConversionRequest) -> ExportedProgram:
    """Return ``network`` as a program of the axes that ``request`` leaves open."""
    shapes = dynamic_shapes(network, request)
    return torch.export.export(network, request.example(), dynamic_shapes=shapes)


def traced_once(
    network: nn.Module, example: tuple[Tensor, ...], table: Table, shapes: Any = None
) -> ExportedProgram | None:
    """Return the program of `decomposed`; None where one trace does not do."""
    if not all(hasattr(import_module(module), name) for module, name in _PRIVATE):
        return None
    try:
        return _traced(network, example, table, shapes)
    except Exception:  # of nearly every kind; the long way succeeds, or says why it does not
        return None


def _traced(
    network: nn.Module, example: tuple[Tensor, ...], table: Table, shapes: Any = None
) -> ExportedProgram:
    trace = import_module("torch.export._trace")
    program = import_module("torch.export.exported_program")
    composite, others = program._split_decomp_table_to_cia_and_python_decomp(dict(table))
    with program._override_composite_implicit_decomp(composite), _with_table(trace, others):
        found: ExportedProgram = trace._export(
            network, example, dynamic_shapes=shapes, strict=False, pre_dispatch=False
        )
    for node in found.graph.find_nodes(op="call_function", target=aten.lift_fresh_copy.default):
        node.target = aten.clone.default  # of a constant, as a second trace would leave it
    for node in found.graph.find_nodes(
        op="call_function", target=aten._assert_tensor_metadata.default
    ):
        found.graph.erase_node(node)  # of the program that a network is, which kept its own
    return found


@contextmanager
def _with_table(trace: Any, table: Table) -> Iterator[None]:
    """Have `torch.export` decompose by ``table`` as it traces."""
    to_aten = trace._export_to_aten_ir
    trace._export_to_aten_ir = partial(to_aten, decomp_table=table)
    try:
        yield
    finally:
        trace._export_to_aten_ir = to_aten
