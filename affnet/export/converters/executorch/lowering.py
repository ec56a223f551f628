"""From an exported program to ExecuTorch's edge dialect, without what ExecuTorch does twice.

`exir.to_edge_transform_and_lower` decomposes a program three times and traces it anew after each of
some thirty passes, whether or not the pass changed anything.  Three quarters of it is for operators
that a program mostly lacks.  What is left out here changes no file; each part is left to ExecuTorch
as it is where the version installed does not have it, or where a program has such operators.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.fx.node import map_arg
from torch.fx.passes.infra.pass_base import PassResult
from torch.utils import _pytree as pytree

from affnet.export.converters.executorch.partitions import acyclic
from affnet.export.converters.patches import replaced
from affnet.export.converters.tracing import run_once, writes

_PATTERNS = "executorch.backends.xnnpack.partition.graphs"
# what a pass has of its own that tracing does not call; `_abc_impl` is each class's
_NOT_A_STEP = ("call", "requires", "ensures", "_abc_impl")
#: Passes that replace operators one by one, by what these are and the tensors they are given.
_OF_ONE_OPERATOR = (
    "ConstPropPass",
    "DimOrderOpsRevertPass",
    "MemoryFormatOpsPass",
    "NormalizeTransposePass",
    "RemoveMixedTypeOperators",
    "ReplaceBrokenOpsWithFunctionalOpsPass",
    "SymToTensorPass",
)


def partitioner_for(base: type[Any]) -> Any:
    """Return a partitioner of the class ``base`` that asks for no decomposition in vain.

    ExecuTorch decomposes a program again, with some operators disguised, for a partitioner that
    keeps an operator in some places only.  Where it takes the operator in all places of a program,
    that need not be.  Its parts do not wait for each other (`acyclic`).
    """

    class Partitioner(base):  # type: ignore[misc]
        _groups: Any = ()

        def get_matched_nodes_from_configs(self, ep: ExportedProgram) -> Any:
            self._groups = super().get_matched_nodes_from_configs(ep)
            return self._groups

        def generate_partitions(self, ep: ExportedProgram) -> Any:
            return acyclic(ep.graph, super().generate_partitions(ep), self._groups)

        def ops_to_not_decompose(self, ep: ExportedProgram) -> Any:
            kept, supported = super().ops_to_not_decompose(ep)
            calls = [node for node in ep.graph.nodes if node.target in kept]
            if ep.dialect == "EDGE" or supported is None or not all(map(supported, calls)):
                return kept, supported
            return kept, None

    return Partitioner()


@contextmanager
def without_idle_passes(program: ExportedProgram) -> Iterator[None]:
    """Lower ``program`` without searches that find nothing, and traces that change nothing."""
    called = " ".join(str(node.target) for node in program.graph.nodes)
    export_pass = import_module("executorch.exir.pass_base").ExportPass
    with ExitStack() as stack:
        stack.enter_context(run_once())
        stack.enter_context(_functional_already(program))
        if "upsample" not in called and "index" not in called:
            stack.enter_context(_patterns("bilinear_2d", "get_graphs_dict", dict))
        if "softmax" not in called and "attention" not in called:
            stack.enter_context(_patterns("sdpa", "get_graphs", list))
        stack.enter_context(replaced(export_pass, "call", _tracing_changes(export_pass)))
        stack.enter_context(_types_checked_once())
        yield


@contextmanager
def _functional_already(program: ExportedProgram) -> Iterator[None]:
    """Have a program that writes nothing not traced for the sake of a form without writes."""
    decompose = program.run_decompositions

    def decompose_something(table: Any = None) -> ExportedProgram:
        nothing = isinstance(table, dict) and not table
        return program if nothing and not writes(program.graph_module) else decompose(table)

    with replaced(program, "run_decompositions", decompose_something):
        yield


@contextmanager
def _patterns(name: str, function: str, none: Any) -> Iterator[None]:
    """Have ``function`` of XNNPACK's patterns, each of which it would export first, give none."""
    try:
        module = import_module(f"{_PATTERNS}.{name}")
    except ImportError:
        yield
        return
    with replaced(module, function, none) if hasattr(module, function) else ExitStack():
        yield


def _tracing_changes(export_pass: type[Any]) -> Any:
    """Return `ExportPass.call`, which traces a graph, for graphs that changed since the last time.

    Most passes look for nodes to replace in it and end with a trace, which gives new nodes their
    shapes.  A pass that takes part in the trace, by any other method of its own, is not concerned,
    unless it is one that replaces operators one by one and has none to replace.
    """
    trace = export_pass.call
    steps = [name for name in dir(export_pass) if not name.startswith("__")]
    steps = [name for name in steps if name not in _NOT_A_STEP]
    last: list[Any] = [None, None]  # a graph as it was traced, and its nodes

    def call(self: Any, graph_module: fx.GraphModule) -> Any:
        kind = type(self)
        own = [n for n in steps if getattr(kind, n, None) is not getattr(export_pass, n)]
        same = last[0] is graph_module and last[1] == _nodes(graph_module)
        if same and (not own or (own == ["call_operator"] and _is_idle(self, graph_module))):
            return PassResult(graph_module, True)
        result = trace(self, graph_module)
        last[:] = result.graph_module, _nodes(result.graph_module)
        return result

    return call


def _is_idle(one: Any, graph_module: fx.GraphModule) -> bool:
    """Return whether a pass hands each operator of a graph on as it is.

    It is asked without a trace, and so must depend on nothing but the operator that it is given.
    """
    if type(one).__name__ not in _OF_ONE_OPERATOR:
        return False
    base: Any = import_module("executorch.exir.pass_base")
    handed: list[Any] = []

    def hand_on(_: Any, target: Any, args: Any, kwargs: Any, meta: Any) -> Any:  # noqa: ARG001
        handed.append((target, args, kwargs))
        return handed

    def proxy(node: fx.Node) -> Any:
        return base.ProxyValue(node.meta["val"], node)

    try:
        with replaced(base._ExportPassBase, "call_operator", hand_on):
            for node in graph_module.graph.nodes:
                if node.op != "call_function" or node.target is operator.getitem:
                    continue
                if not hasattr(node.target, "_schema"):
                    return False
                values = {source: proxy(source) for source in node.all_input_nodes}
                args, kwargs = map_arg((node.args, node.kwargs), values.__getitem__)
                handed.clear()
                meta = base.NodeMetadata(node.meta)
                result = one.call_operator(node.target, tuple(args), dict(kwargs), meta)
                if result is not handed or not _alike(handed, (node.target, args, kwargs)):
                    return False
    except Exception:  # of nearly every kind; the trace says what is wrong
        return False
    return True


def _alike(handed: list[Any], given: tuple[Any, ...]) -> bool:
    """Return whether one operator was handed on, with the very arguments that were given."""
    leaves = [pytree.tree_leaves(each) for each in (*handed, given)]
    return len(leaves) == 2 and all(
        a is b or (type(a) is type(b) and not isinstance(a, Tensor) and a == b)
        for a, b in zip(*leaves, strict=True)
    )


@contextmanager
def _types_checked_once() -> Iterator[None]:
    """Have ExecuTorch check the types that operators are given once for each combination.

    It runs each program on tensors without values, a dozen times, to see these types.
    """
    verifier: Any = import_module("executorch.exir.verification.verifier")
    name = "_check_tensor_args_matching_op_allowed_dtype"
    check, known = getattr(verifier, name, None), set[Any]()
    if check is None:
        yield
        return

    def check_new(graph_module: fx.GraphModule) -> None:
        found = {_types(node) for node in graph_module.graph.nodes if node.op == "call_function"}
        if found <= known:
            return
        check(graph_module)
        known.update(found)

    with replaced(verifier, name, check_new):
        yield


def _types(node: fx.Node) -> tuple[Any, ...]:
    """Return an operator, and the types of what it is given and gives."""
    given = [
        value.meta.get("val") if isinstance(value, fx.Node) else value
        for value in pytree.tree_leaves((node.args, node.kwargs))
    ]
    tensors = pytree.tree_leaves((given, node.meta.get("val")))
    return node.target, *(getattr(each, "dtype", type(each)) for each in tensors)


def _nodes(graph_module: fx.GraphModule) -> list[tuple[Any, ...]]:
    """Return all that a trace depends on; nodes and shapes are compared by identity."""
    return [
        (node, node.target, node.args, node.kwargs, id(node.meta.get("val")))
        for node in graph_module.graph.nodes
    ]
