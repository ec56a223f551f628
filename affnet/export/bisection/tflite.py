"""TFLite files in parts, whose list of operators is rewritten in the flatbuffer.

The reference is LiteRT's interpreter with its reference kernels, one for each operator and without
a delegate, on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, Artifact, TensorSpec
from affnet.errors import ArtifactError
from affnet.export.bisection.graph import Operator, Part, value_spec
from affnet.export.converters.tflite.flatbuffer import aligned_builder
from affnet.runtimes import Interface
from affnet.runtimes.foreign import described
from affnet.runtimes.litert import LiteRtRuntime
from affnet.silence import silenced

_IDENTIFIER = b"TFL3"
_WRAPPED = "network."  # of a network with a head, or with channels last


class TfliteGraph:
    """The operators of a TFLite file's first graph; a value is named by its tensor's number."""

    reference: ClassVar = "LiteRT's reference kernels"

    def __init__(self, artifact: Artifact, feed: Arrays) -> None:
        """Read a file, to be run on ``feed``, an array for each of its inputs."""
        from ai_edge_litert import schema_py_generated as schema

        LiteRtRuntime.operators(artifact.path)  # its verifier refuses what the reader stumbles over
        self._artifact = artifact
        self._content = artifact.path.read_bytes()
        self._model = schema.ModelT.InitFromPackedBuf(bytearray(self._content))
        graph = self._model.subgraphs[0]
        self._graph = graph
        self._computing, self._fixed = self._split(list(graph.operators))
        self.inputs = tuple(map(str, graph.inputs))
        self.outputs = tuple(map(str, graph.outputs))
        self._interpreter = self._run(feed)
        self.operators = [self._operator(*each) for each in self._computing]

    def _run(self, feed: Arrays) -> Any:
        """Return an interpreter that has computed and kept all tensors."""
        with silenced():
            from ai_edge_litert.interpreter import Interpreter, OpResolverType

            interpreter = Interpreter(
                model_content=self._content,
                experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
                experimental_preserve_all_tensors=True,
            )
            try:
                interpreter.allocate_tensors()
                for taken, array in zip(interpreter.get_input_details(), feed, strict=True):
                    interpreter.set_tensor(taken["index"], array)
                interpreter.invoke()
            except (ValueError, RuntimeError) as error:
                reason = " ".join(str(error).split())
                path = self._artifact.path
                raise ArtifactError(f"LiteRT's reference rejects {path}: {reason}") from error
        return interpreter

    def _split(self, operators: list[Any]) -> tuple[list[tuple[int, Any]], list[Any]]:
        """Return what computes with the inputs, each with its number, and what gives constants.

        A file with weights of float16 has operators of the latter kind, which widen them.
        """
        reached = {*self._graph.inputs}
        computing: list[tuple[int, Any]] = []
        fixed: list[Any] = []
        for number, operator in enumerate(operators):
            if reached.isdisjoint(operator.inputs):
                fixed.append(operator)
            else:
                computing.append((number, operator))
                reached.update(operator.outputs)
        return computing, fixed

    def _operator(self, number: int, operator: Any) -> Operator:
        from ai_edge_litert import schema_py_generated as schema

        code = self._model.operatorCodes[operator.opcodeIndex]
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        kinds = {number: name for name, number in vars(schema.BuiltinOperator).items()}
        custom = code.customCode.decode(errors="replace") if code.customCode else ""
        given = {index for each in self._fixed for index in each.outputs}
        reads = [
            index
            for index in operator.inputs
            if index >= 0 and index not in given and not self._constant(index)
        ]
        writes = [index for index in operator.outputs if index >= 0]
        return Operator(
            f"operator {number}",
            custom or str(kinds[builtin]),
            self._module(writes[0]),
            tuple(dict.fromkeys(map(str, reads))),
            tuple(map(str, writes)),
        )

    def _constant(self, index: int) -> bool:
        """Return whether a tensor's values stand in the file."""
        data = self._model.buffers[self._graph.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def _module(self, index: int) -> str | None:
        """Return the module whose call litert-torch names a tensor by."""
        name = self._graph.tensors[index].name.decode(errors="replace").partition(";")[0]
        _, *scopes = name.split("/")
        parts = [scope.rpartition(".")[2].partition("_")[2] for scope in scopes]
        module = ".".join(filter(None, parts))
        while module.startswith(_WRAPPED):
            module = module.removeprefix(_WRAPPED)
        return module or None

    def values(self, names: Sequence[str]) -> Mapping[str, NDArray[Any] | None]:
        """See `CutGraph.values`."""
        return {name: self._value(int(name)) for name in names}

    def _value(self, index: int) -> NDArray[Any] | None:
        try:
            found: NDArray[Any] = self._interpreter.get_tensor(index)
        except ValueError:  # of a type that is no numbers, or never computed
            return None
        return found if found.dtype.kind in "fiub" else None

    def stored(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """See `CutGraph.stored`: the reference keeps the file's types."""
        return value

    def write(self, part: Part, path: Path) -> Artifact | None:
        """See `CutGraph.write`."""
        values = self.values((*part.reads, *part.writes))
        if any(value is None for value in values.values()):
            return None
        graph, model = self._graph, self._model
        kept = graph.operators, graph.inputs, graph.outputs, model.signatureDefs, model.metadata
        buffers = model.buffers
        graph.operators = self._with_constants(part)
        graph.inputs = np.array(list(map(int, part.reads)), np.int32)
        graph.outputs = np.array(list(map(int, part.writes)), np.int32)
        model.signatureDefs = model.metadata = None
        model.buffers = self._buffers(graph.operators)
        builder = aligned_builder()
        builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
        path.write_bytes(bytes(builder.Output()))
        graph.operators, graph.inputs, graph.outputs, model.signatureDefs, model.metadata = kept
        model.buffers = buffers
        inputs, outputs = (
            tuple(self._spec(name) for name in names) for names in (part.reads, part.writes)
        )
        return described(path, Interface(inputs, outputs, self._artifact.manifest.precision))

    def _with_constants(self, part: Part) -> list[Any]:
        """Return the operators of a part, behind those that give the constants that they read."""
        chosen = [operator for _, operator in self._computing[part.start : part.end]]
        read = {index for operator in chosen for index in operator.inputs}
        giving: list[Any] = []
        for operator in reversed(self._fixed):
            if not read.isdisjoint(operator.outputs):
                giving.append(operator)
                read.update(operator.inputs)
        return [*reversed(giving), *chosen]

    def _buffers(self, operators: Sequence[Any]) -> list[Any]:
        """Return the file's buffers, of which those hold anything that ``operators`` read."""
        from ai_edge_litert import schema_py_generated as schema

        read = {int(index) for operator in operators for index in operator.inputs if index >= 0}
        used = {self._graph.tensors[index].buffer for index in read}
        buffers = self._model.buffers
        return [one if at in used else schema.BufferT() for at, one in enumerate(buffers)]

    def _spec(self, name: str) -> TensorSpec:
        value = self._value(int(name))
        assert value is not None  # `write` has looked
        return value_spec(name, value)
