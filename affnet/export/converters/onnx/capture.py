"""A network as a program that ``torch.onnx`` translates without tracing it a second time.

``torch.onnx.export`` retraces every program to decompose operators, half of its time, though
nearly all networks consist of operators that it translates as they are.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

# Composite operators that torchlib has although torch's table of decompositions leaves them out.
_TRANSLATED = {
    aten.contiguous.default,
    aten.dropout.default,
    aten.flatten.using_ints,
    aten.reshape.default,
}

#: Operators of `translations`, with the argument that says whether they are in training.
_IN_TRAINING = {aten.batch_norm.default: 5, aten.dropout_.default: 2}


def capture(network: nn.Module, example: tuple[Tensor, ...]) -> ExportedProgram:
    """Return ``network`` as a program for ``example`` that is decomposed only if need be."""
    program = torch.export.export(network, example)
    decompose = program.run_decompositions

    def decompose_if_needed(table: Mapping[Any, Any] | None = None) -> ExportedProgram:
        return program if _is_translated(program, table or {}) else decompose(table)

    program.run_decompositions = decompose_if_needed
    return program


def calls(network: nn.Module, example: tuple[Tensor, ...], operator_: Any) -> bool:
    """Return whether a run of ``network`` calls an operator, by whatever overload."""
    called: set[Any] = set()

    class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            called.add(getattr(func, "overloadpacket", None))
            return func(*args, **(kwargs or {}))

    recorder = Recorder()  # type: ignore[no-untyped-call]
    with contextlib.suppress(Exception), torch.no_grad(), recorder:
        network(*example)  # where it fails, so does the export, which says why
    return operator_ in called


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return how to write operators of evaluation for which torchlib has decompositions only."""
    from onnxscript import opset18 as op

    def batch_norm(
        x: Any,
        weight: Any,
        bias: Any,
        mean: Any,
        variance: Any,
        training: bool,  # noqa: ARG001 - the operator has it
        momentum: float,  # noqa: ARG001
        eps: float,
        cudnn_enabled: bool,  # noqa: ARG001
    ) -> Any:
        zeros = op.Sub(mean, mean)
        weight = op.Exp(zeros) if weight is None else weight
        bias = zeros if bias is None else bias
        return op.BatchNormalization(x, weight, bias, mean, variance, epsilon=eps)

    def dropout(x: Any, p: float, train: bool) -> Any:  # noqa: ARG001
        return op.Identity(x)

    return {aten.batch_norm.default: batch_norm, aten.dropout_.default: dropout}


def _is_translated(program: ExportedProgram, decomposed: Mapping[Any, Any]) -> bool:
    """Tell whether torchlib has every operator; ``decomposed`` are those that it has not."""
    composite = torch.export.default_decompositions()

    def has(node: torch.fx.Node) -> bool:
        target = node.target
        if target is operator.getitem or target in _TRANSLATED:
            return True
        if target in _IN_TRAINING:
            return not node.args[_IN_TRAINING[target]]
        if not isinstance(target, torch._ops.OpOverload) or target._schema.is_mutable:
            return False
        is_composite = target.has_kernel_for_dispatch_key(
            torch._C.DispatchKey.CompositeImplicitAutograd
        )
        return target not in decomposed and (not is_composite or target in composite)

    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    submodules = any(isinstance(m, nn.Module) for m in program.graph_module.children())
    return not submodules and all(map(has, calls))


@contextlib.contextmanager
def unread_library() -> Iterator[None]:
    """Have onnxscript list what it can translate without reading the source of each function.

    For a list that ``torch.onnx`` asks for at each export, it parses hundreds of functions to say
    their domain, at which nobody looks.  Whatever is asked of one is still read when it is asked.
    """
    values = import_module("onnxscript._internal.values")
    functions = getattr(values, "TracedOnnxFunction", None)
    read = vars(functions).get("function_ir") if functions else None
    if not isinstance(read, property):
        yield
        return
    functions.function_ir = property(lambda function: _Unread(function, read))  # type: ignore[union-attr]
    try:
        yield
    finally:
        functions.function_ir = read  # type: ignore[union-attr]


class _Unread:
    """A function's ``function_ir``, read once something of it but the domain is asked for."""

    def __init__(self, function: Any, read: property) -> None:
        self._function, self._read = function, read

    @property
    def domain(self) -> str:
        """The domain, which is its opset's."""
        return str(self._function.opset.domain)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._read.__get__(self._function), name)
