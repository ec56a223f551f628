"""Which operators of a Core ML program stay in float32 where the rest becomes float16.

coremltools asks a selector for each operator whether to cast it, in a pass near the end of its
conversion.  When first asked, `HalfSelector` has the whole program before it, in float32 with
every other optimisation done; it reads that as what `affnet.runtimes.mlprogram` evaluates, has
`choose_float32` decide by running it, and answers.  So one conversion is enough, and the names are
those of that very program.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays
from affnet.errors import UnsupportedOperatorError
from affnet.export.converters.coreml.nms import may_be_float16
from affnet.export.converters.mixed_precision import HalfChoice, Operation, choose_float32
from affnet.runtimes.mlprogram.constants import Value, hold
from affnet.runtimes.mlprogram.execution import Evaluator, round_to_half
from affnet.runtimes.mlprogram.graph import Block, Function, Node, Output, Reference
from affnet.runtimes.mlprogram.types import TensorType, dtype_from_parameter

_SMALLEST = float(np.float16(6e-8))  # coremltools gives it to small constants that would become 0
_FEW = 400  # elements of a constant that it does so for
_EPSILON_OF_ITS_OWN = ("log", "rsqrt", "inverse")  # coremltools adds one; what is lost of it is not
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


class HalfSelector:
    """The ``op_selector`` of coremltools' ``FP16ComputePrecision``."""

    def __init__(self, samples: Sequence[Arrays]) -> None:
        self._samples = samples
        self._choice: HalfChoice | None = None
        self._reason = ""  # why nothing was measured

    def __call__(self, operator: Any) -> bool:
        """Return whether coremltools may cast ``operator``, one of its own, to float16."""
        if self._choice is None:
            self._choice = self._measured(operator)
        return may_be_float16(operator) and operator.outputs[0].name not in self._choice.kept

    def details(self) -> dict[str, Any]:
        """Return what was found, for the manifest."""
        found = self._choice.details() if self._choice else {}
        return found | ({"unmeasured": self._reason} if self._reason else {})

    def _measured(self, operator: Any) -> HalfChoice:
        block = operator.enclosing_block
        while block.outer_op is not None:
            block = block.outer_op.enclosing_block
        program = MilHalfProgram(block)
        try:
            return choose_float32(program, self._samples)
        except UnsupportedOperatorError as error:
            self._reason = str(error)
            return choose_float32(program, ())


class MilHalfProgram:
    """A function of coremltools' MIL in float32 as `HalfProgram`."""

    def __init__(self, block: Any) -> None:
        defaults = import_module("coremltools").transform.FP16ComputePrecision()
        operators = [op for op in block.operations if op.op_type != "const"]
        self._function = Function(
            {name: _type_of(var) for name, var in block.inputs.items()},
            {var.name: _value(var) for var in block.outputs if _is_constant(var)},
            tuple(map(_node, operators)),
            tuple(var.name for var in block.outputs),
        )
        #: What coremltools leaves in float32 by itself.
        self._fixed = {
            op.outputs[0].name
            for op in operators
            if not (defaults.is_valid_op(op) and may_be_float16(op))
        }
        self._exact = Evaluator(self._function)
        self._mixed: tuple[frozenset[str], Evaluator] | None = None
        self.operations = [_operation(op) for op in operators]
        self.outputs = self._function.results

    def compare(
        self, sample: Arrays, float32: frozenset[str]
    ) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
        """See `HalfProgram.compare`."""
        if self._mixed is None or self._mixed[0] != float32:
            mixture = in_half(self._function, float32 | self._fixed)
            self._mixed = float32, Evaluator(mixture)
        feed = dict(zip(self._function.inputs, sample, strict=True))
        exact = self._exact.steps(feed, half=False)
        for node, results in self._mixed[1].steps(feed, half=True):
            if node is not None and node.location == _BORDER:
                continue
            _, wanted = next(exact)
            for tensor, value in results.items():
                if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
                    yield tensor, wanted[tensor], value


_BORDER = "a border of float16"


def in_half(function: Function, float32: frozenset[str] | set[str]) -> Function:
    """Return ``function`` as coremltools casts it, all but the operators named in ``float32``.

    An operator is called as its first output.  It reads and gives float16, and a cast stands where
    it reads what is float32.
    """
    single = {name for name, kind in function.inputs.items() if _is_single(kind)}

    def converted(given: Sequence[Node], cast: set[str]) -> tuple[Node, ...]:
        nodes: list[Node] = []

        def halved(argument: Value | Reference) -> Value | Reference:
            if not isinstance(argument, Reference):
                return _half_constant(argument)
            if argument.name not in single:
                return argument
            half = f"{argument.name}_half"
            if half not in cast:
                cast.add(half)
                nodes.append(_cast(argument, half, function.type_of(argument.name)))
            return Reference(half)

        for node in given:
            if node.outputs[0].name in float32:
                single.update(output.name for output in node.outputs if _is_single(output.type))
                nodes.append(node)
                continue
            parameters = {
                name: tuple(map(halved, arguments)) for name, arguments in node.parameters.items()
            }
            blocks = tuple(
                dataclasses.replace(block, nodes=converted(block.nodes, {*cast}))
                for block in node.blocks
            )
            outputs = tuple(map(_half_output, node.outputs))
            nodes.append(Node(node.operator, node.location, parameters, outputs, blocks))
        return tuple(nodes)

    return dataclasses.replace(function, nodes=converted(function.nodes, set()))


def _cast(argument: Reference, half: str, known: TensorType | None) -> Node:
    given: dict[str, tuple[Value | Reference, ...]] = {"x": (argument,), "dtype": ("fp16",)}
    kind = TensorType("float16", known.shape if known else None)
    return Node("cast", _BORDER, given, (Output(half, kind),))


def _half_output(output: Output) -> Output:
    if output.type is None or not _is_single(output.type):
        return output
    return Output(output.name, TensorType("float16", output.type.shape))


def _is_single(kind: TensorType | None) -> bool:
    return kind is not None and kind.dtype == "float32"


def _half_constant(value: Value) -> Value:
    if not isinstance(value, np.ndarray) or value.dtype != np.float32:
        return value
    rounded = round_to_half(value)
    if value.size < _FEW:
        lost = (rounded == 0) & (np.abs(value) >= np.finfo(np.float32).tiny)
        rounded = np.where(lost, np.copysign(np.float32(_SMALLEST), value), rounded)
    return rounded


def _node(operator: Any) -> Node:
    """Return an operator of MIL as the evaluator knows it."""
    parameters = {
        name: tuple(map(_argument, given if isinstance(given, (list, tuple)) else (given,)))
        for name, given in operator.inputs.items()
        if given is not None
    }
    outputs = tuple(Output(var.name, _type_of(var)) for var in operator.outputs)
    blocks = tuple(map(_block, operator.blocks))
    return Node(operator.op_type, repr(operator.name), parameters, outputs, blocks)


def _block(block: Any) -> Block:
    return Block(
        tuple(var.name for var in block.inputs),
        {var.name: _value(var) for var in block.outputs if _is_constant(var)},
        tuple(_node(inner) for inner in block.operations if inner.op_type != "const"),
        tuple(var.name for var in block.outputs),
    )


def _argument(var: Any) -> Value | Reference:
    return _value(var) if _is_constant(var) else Reference(var.name)


def _is_constant(var: Any) -> bool:
    return var.op is not None and var.op.op_type == "const"


def _value(var: Any) -> Value:
    value = var.val
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    return [str(item) for item in array] if array.dtype.kind in "US" else hold(array)


def _type_of(var: Any) -> TensorType | None:
    types = import_module("coremltools.converters.mil.mil").types
    if not (types.is_tensor(var.sym_type) or types.is_scalar(var.sym_type)):
        return None
    shape = tuple(int(size) if isinstance(size, (int, np.integer)) else None for size in var.shape)
    return TensorType(dtype_from_parameter(types.builtin_to_string(var.dtype)), shape)


def _operation(operator: Any) -> Operation:
    inputs, constants = [], []
    for name, given in operator.inputs.items():
        for var in given if isinstance(given, (list, tuple)) else (given,):
            if var is None:
                continue
            if not _is_constant(var):
                inputs.append(var.name)
                continue
            value = _value(var)
            own = name == "epsilon" and operator.op_type in _EPSILON_OF_ITS_OWN
            if isinstance(value, np.ndarray) and value.dtype == np.float32 and not own:
                constants.append(value)
    outputs = tuple(var.name for var in operator.outputs)
    return Operation(
        outputs[0], operator.op_type, tuple(inputs), outputs, tuple(constants), _source(operator)
    )


def _source(operator: Any) -> str:
    """Return the line of the user's code, 'model.py:10', as far as coremltools kept it."""
    scopes = import_module("coremltools.converters.mil.mil.scope").ScopeSource
    traces = operator.scopes.get(scopes.EXIR_STACK_TRACE) or [None]
    frames = list(_FRAME.finditer(traces[0] or ""))
    return f"{Path(frames[-1]['file']).name}:{frames[-1]['line']}" if frames else ""
