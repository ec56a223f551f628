"""From an exported program to ExecuTorch's edge dialect, without what ExecuTorch does twice.

`exir.to_edge_transform_and_lower` decomposes a program three times and traces it anew after each of
some thirty passes, whether or not the pass changed anything.  Three quarters of it is for operators
that a program mostly lacks.  What is left out here changes no file; each part is left to ExecuTorch
as it is where the version installed does not have it, or where a program has such operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from torch import fx
from torch.export import ExportedProgram
from torch.fx.passes.infra.pass_base import PassResult

from affnet.export.converters.patches import replaced
from affnet.export.converters.tracing import run_once

_PATTERNS = "executorch.backends.xnnpack.partition.graphs"
# what a pass has of its own that tracing does not call; `_abc_impl` is each class's
_NOT_A_STEP = ("call", "requires", "ensures", "_abc_impl")


def partitioner_for(base: type[Any]) -> Any:
    """Return a partitioner of the class ``base`` that asks for no decomposition in vain.

    ExecuTorch decomposes a program again, with some operators disguised, for a partitioner that
    keeps an operator in some places only.  Where it takes the operator in all places of a program,
    that need not be.
    """

    class Partitioner(base):  # type: ignore[misc]
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
        if "upsample" not in called and "index" not in called:
            stack.enter_context(_patterns("bilinear_2d", "get_graphs_dict", dict))
        if "softmax" not in called and "attention" not in called:
            stack.enter_context(_patterns("sdpa", "get_graphs", list))
        stack.enter_context(replaced(export_pass, "call", _tracing_changes(export_pass)))
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
    shapes.  A pass that takes part in the trace, by any other method of its own, is not concerned.
    """
    trace = export_pass.call
    steps = [name for name in dir(export_pass) if not name.startswith("__")]
    steps = [name for name in steps if name not in _NOT_A_STEP]
    last: list[Any] = [None, None]  # a graph as it was traced, and its nodes

    def call(self: Any, graph_module: fx.GraphModule) -> Any:
        own = any(
            getattr(type(self), name, None) is not getattr(export_pass, name) for name in steps
        )
        if not own and last[0] is graph_module and last[1] == _nodes(graph_module):
            return PassResult(graph_module, True)
        result = trace(self, graph_module)
        last[:] = result.graph_module, _nodes(result.graph_module)
        return result

    return call


def _nodes(graph_module: fx.GraphModule) -> list[tuple[Any, ...]]:
    """Return all that a trace depends on; nodes and shapes are compared by identity."""
    return [
        (node, node.target, node.args, node.kwargs, id(node.meta.get("val")))
        for node in graph_module.graph.nodes
    ]
