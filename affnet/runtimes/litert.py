"""LiteRT, formerly TensorFlow Lite, on the CPU with its XNNPACK delegate.

A file whose structure is damaged is rejected before it is read, and so is one without a graph,
which LiteRT's own check passes and then crashes on.  No other such file was found by flipping bits,
which is no proof: an artifact's manifest holds its hash, which is compared first.
"""

from __future__ import annotations

import collections
import mmap
import struct
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, TensorSpec
from affnet.errors import ArtifactError, require
from affnet.placement import CPU, PlacedOperator, Placement
from affnet.runtimes import Interface
from affnet.silence import silenced

_PURPOSE = "Running TFLite files"
_IDENTIFIER = b"TFL3"  # at offset 4 of every file
_DELEGATE = "DELEGATE"  # the type of the nodes that stand for what a delegate took
_GRAPHS = 8  # where the table of a model's fields has its list of graphs
#: Before the names of operators that LiteRT does not bring along, Flex operators among them.
CUSTOM_PREFIX = "custom::"


class LiteRtRuntime:
    """Runs ``.tflite`` files with LiteRT's interpreter."""

    name = "litert"
    format = "tflite"
    suffix = ".tflite"
    distribution = "ai-edge-litert"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        require("ai_edge_litert", extra="tflite", purpose=_PURPOSE)
        with silenced():
            import ai_edge_litert.interpreter  # noqa: F401  # later it is there at once
        return metadata.version(cls.distribution)

    @classmethod
    def load(cls, path: Path, *, threads: int) -> LiteRtSession:
        """See `Runtime.load`."""
        require("ai_edge_litert", extra="tflite", purpose=_PURPOSE)
        return LiteRtSession(path, threads)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`."""
        require("ai_edge_litert", extra="tflite", purpose=_PURPOSE)
        interpreter = _interpreter(path, threads=1, delegate=False)
        inputs = tuple(map(_spec, interpreter.get_input_details()))
        outputs = tuple(map(_spec, interpreter.get_output_details()))
        types = {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
        precision = "int8" if np.int8 in types else "fp16" if np.float16 in types else "fp32"
        return Interface(inputs, outputs, precision)

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`; read from the file, where nothing is delegated yet."""
        require("ai_edge_litert", extra="tflite", purpose=_PURPOSE)
        _interpreter(path, threads=1, delegate=False)  # its verifier is stricter than the reader
        from ai_edge_litert import schema_py_generated as schema

        names = {
            code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()
        }
        counts: collections.Counter[str] = collections.Counter()
        try:
            model = schema.Model.GetRootAs(path.read_bytes())
            for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
                for operator in map(graph.Operators, range(graph.OperatorsLength())):
                    code = model.OperatorCodes(operator.OpcodeIndex())
                    # codes above 127 do not fit the older of both fields
                    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
                    if builtin == schema.BuiltinOperator.CUSTOM:
                        counts[CUSTOM_PREFIX + code.CustomCode().decode()] += 1
                    else:
                        counts[names[builtin]] += 1
        except (struct.error, LookupError, AttributeError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path} is damaged or no TFLite file.") from error
        return counts

    @classmethod
    def placement(cls, path: Path, *, threads: int, inputs: Arrays) -> Placement:
        """Return which operators XNNPACK's kernels run, and which LiteRT's own, both on the CPU."""
        interpreter = _interpreter(path, threads, delegate=True)
        names = {one["index"]: one["name"] for one in interpreter.get_tensor_details()}
        nodes = interpreter._get_ops_details()
        taken = delegated_nodes(nodes)
        operators = [
            PlacedOperator(names.get(node["outputs"][0], ""), node["op_name"], *_unit(node, taken))
            for node in nodes
            if node["op_name"] != _DELEGATE and len(node["outputs"])
        ]
        return Placement(("xnnpack",), tuple(operators))


class LiteRtSession:
    """One interpreter with its tensors allocated."""

    def __init__(self, path: Path, threads: int) -> None:
        self._interpreter = _interpreter(path, threads, delegate=True)
        self._inputs = [taken["index"] for taken in self._interpreter.get_input_details()]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`; the outputs are copies."""
        interpreter = self._interpreter
        for index, array in zip(self._inputs, inputs, strict=True):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in self._outputs]


def file_nodes(path: Path) -> list[tuple[str, str]]:
    """Return name, that of the first output, and type of each node of a file's graphs.

    Raises:
        MissingError, ArtifactError: as `Runtime.load`.
    """
    require("ai_edge_litert", extra="tflite", purpose=_PURPOSE)
    interpreter = _interpreter(path, threads=1, delegate=False)
    names = {one["index"]: one["name"] for one in interpreter.get_tensor_details()}
    return [
        (names.get(node["outputs"][0], ""), node["op_name"])
        for node in interpreter._get_ops_details()
        if len(node["outputs"])
    ]


def delegated_nodes(nodes: Sequence[Mapping[str, Any]]) -> set[int]:
    """Return the indices of the nodes that a delegate took.

    An interpreter lists all nodes of the file, and behind them one for each part that a delegate
    took: those nodes from whose outputs to its inputs its own outputs are computed.
    """
    makers = {
        int(tensor): node
        for node in nodes
        if node["op_name"] != _DELEGATE
        for tensor in node["outputs"]
    }
    taken: set[int] = set()
    for node in nodes:
        if node["op_name"] != _DELEGATE:
            continue
        given, wanted = {*map(int, node["inputs"])}, [*map(int, node["outputs"])]
        while wanted:
            tensor = wanted.pop()
            if tensor in given or (maker := makers.get(tensor)) is None:
                continue
            if maker["index"] not in taken:
                taken.add(maker["index"])
                wanted += map(int, maker["inputs"])
    return taken


def _unit(node: Mapping[str, Any], taken: set[int]) -> tuple[str, str]:
    """Return the unit of a node, and why it is not XNNPACK."""
    return ("xnnpack", "") if node["index"] in taken else (CPU, "XNNPACK did not take it")


def _spec(details: dict[str, Any]) -> TensorSpec:
    """Read what the interpreter says of a tensor: of open axes the size they have in the file."""
    shape = tuple(map(int, details["shape"]))
    return TensorSpec(details["name"], shape, np.dtype(details["dtype"]).name)


def _interpreter(path: Path, threads: int, *, delegate: bool) -> Any:
    """Open a file; with ``delegate``, also hand what can be to XNNPACK and allocate tensors."""
    _check_root(path)
    with silenced():  # the runtime announces its delegate
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        resolver = OpResolverType.AUTO
        if not delegate:
            resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            # it checks the structure of the file before it reads it
            interpreter = Interpreter(
                str(path), num_threads=threads, experimental_op_resolver_type=resolver
            )
            if delegate:
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ArtifactError(f"LiteRT rejects {path}: {reason}") from error
    return interpreter


def _check_root(path: Path) -> None:
    """Refuse what is no TFLite file, and what LiteRT's own verifier passes but ends the process."""
    from flatbuffers.table import Table

    foreign = ArtifactError(f"{path} is damaged or no TFLite file.")
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            if content[4:8] != _IDENTIFIER:
                raise foreign
            root = Table(content, struct.unpack_from("<I", content)[0])
            graphs = root.Offset(_GRAPHS)
            if not graphs or not root.VectorLen(graphs):
                raise foreign
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, IndexError, struct.error, TypeError) as error:  # empty, or beyond the end
        raise foreign from error
