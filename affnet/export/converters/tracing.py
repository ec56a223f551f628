"""A network as a program of decomposed operators, traced once.

``torch.export.export(network, example).run_decompositions(table)`` traces twice: for a program that
could still be trained, and that program for one that cannot.  ``torch.export`` can trace a network
for the latter at once, as it did before it had the former, though no public function says so any
more.  Traced so it has the same operators, but for ``aten._assert_tensor_metadata``, which checks
what the trace has found already and computes nothing.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves

from affnet.export.converters import ConversionRequest
from affnet.export.converters.patches import replaced
from affnet.model.open_lengths import dimension

aten = torch.ops.aten

Table = Mapping[Any, Callable[..., Any]]

_PRIVATE = (
    ("torch.export._trace", "_export"),
    ("torch.export._trace", "_export_to_aten_ir"),
    ("torch.export._trace", "_export_to_aten_ir_make_fx"),
    ("torch.export._trace", "make_fx"),
    ("torch.export.exported_program", "_override_composite_implicit_decomp"),
    ("torch.export.exported_program", "_split_decomp_table_to_cia_and_python_decomp"),
)


#: Of ``_export_to_aten_ir``'s options, those of its kin for training.
_TAKEN = ("produce_guards_callback", "transform")


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
    with (
        run_once(),
        program._override_composite_implicit_decomp(composite),
        replaced(
            trace, "_export_to_aten_ir", partial(trace._export_to_aten_ir, decomp_table=others)
        ),
    ):
        found: ExportedProgram = trace._export(
            network, example, dynamic_shapes=shapes, strict=False, pre_dispatch=False
        )
    _copy_constants(found.graph)
    for node in found.graph.find_nodes(
        op="call_function", target=aten._assert_tensor_metadata.default
    ):
        found.graph.erase_node(node)  # of the program that a network is, which kept its own
    return found


def _copy_constants(graph: torch.fx.Graph) -> None:
    """Copy constants by the operator that a second trace leaves of it."""
    for node in graph.find_nodes(op="call_function", target=aten.lift_fresh_copy.default):
        node.target = aten.clone.default


@contextmanager
def run_once() -> Iterator[None]:
    """Have `torch.export` run what it decomposes once, where that writes into new tensors only.

    By default it runs it twice: to find which tensors it writes in place, and then with every
    tensor wrapped, so that such a write becomes an operator that returns its result.  Where all it
    writes into is what it has just made (``relu_`` of a sum), the same program comes of one run,
    unwrapped, in half the time.
    """
    if not all(hasattr(import_module(module), name) for module, name in _PRIVATE):
        yield
        return
    trace: Any = import_module("torch.export._trace")
    to_aten = trace._export_to_aten_ir

    def to_aten_in_one_run(
        module: nn.Module, *arguments: Any, decomp_table: Any = None, **options: Any
    ) -> Any:
        found = None
        if not (isinstance(module, torch.fx.GraphModule) and writes(module)) and not _is_open(
            arguments
        ):
            with suppress(Exception):  # what this way cannot hold, the other may
                found = _unwrapped(trace, module, arguments, decomp_table, options)
        if found is not None and not writes(found.gm):
            return found
        return to_aten(module, *arguments, decomp_table=decomp_table, **options)

    with replaced(trace, "_export_to_aten_ir", to_aten_in_one_run):
        yield


def _unwrapped(
    trace: Any, module: nn.Module, arguments: tuple[Any, ...], table: Any, options: dict[str, Any]
) -> Any:
    """Do as ``_export_to_aten_ir`` by the one run in which `torch.export` traces for training."""
    make_fx = trace.make_fx

    def decomposing(function: Any, **settings: Any) -> Callable[..., torch.fx.GraphModule]:
        def traced(*inputs: Any) -> torch.fx.GraphModule:
            settings.update(decomposition_table=table, pre_dispatch=False)
            found: torch.fx.GraphModule = make_fx(function, **settings)(*inputs)
            _return_instead(found.graph)
            if again:
                _copy_constants(found.graph)
            found.graph.eliminate_dead_code()  # as the other way does
            return found

        return traced

    again = isinstance(module, torch.fx.GraphModule)
    taken = {key: options[key] for key in _TAKEN if key in options}
    with replaced(trace, "make_fx", decomposing), torch.no_grad():
        return trace._export_to_aten_ir_make_fx(module, *arguments, **taken)


def _is_open(arguments: tuple[Any, ...]) -> bool:
    """Return whether one of the tensors has an open axis, of which runs find conditions."""
    tensors = (leaf for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor))
    return any(isinstance(size, torch.SymInt) for tensor in tensors for size in tensor.shape)


def writes(program: torch.fx.GraphModule) -> bool:
    """Return whether a program writes where others read, or calls programs of its own."""
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    return any(
        isinstance(node.target, torch._ops.HigherOrderOperator)
        or (_is_writing(node) and _returning(node) is None)
        for node in calls
    )


def _return_instead(graph: torch.fx.Graph) -> None:
    """Have operators that write into what nobody else reads return it instead."""
    for node in filter(_is_writing, graph.nodes):
        if (returning := _returning(node)) is not None:
            node.target = returning
            node._rename(returning.overloadpacket.__name__)


def _is_writing(node: torch.fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _returning(node: torch.fx.Node) -> torch._ops.OpOverload | None:
    """Return ``aten.relu`` for ``aten.relu_``, None unless they do the same here."""
    target, written = node.target, node.args[0] if node.args else None
    assert isinstance(target, torch._ops.OpOverload)
    name, types = target.overloadpacket.__name__, {_type(each) for each in node.all_input_nodes}
    if target.namespace != "aten" or not name.endswith("_") or len(types) > 1:
        return None  # of several types, it would return another than it writes
    if not isinstance(written, torch.fx.Node) or len(written.users) > 1 or not _is_new(written):
        return None
    packet = getattr(aten, name.removesuffix("_"), None)
    return getattr(packet, target._overloadname, None)


def _is_new(node: torch.fx.Node) -> bool:
    """Return whether an operator made this tensor, which is no view of another, for one reader."""
    if node.target is operator.getitem:
        maker, _ = node.args
        assert isinstance(maker, torch.fx.Node)
        return _is_new(maker) and [user.args for user in maker.users].count(node.args) == 1
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return False
    return not any(given.alias_info for given in target._schema.returns)


def _type(node: torch.fx.Node) -> torch.dtype | None:
    return getattr(node.meta.get("val"), "dtype", None)
