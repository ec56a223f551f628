"""ONNX Runtime on the CPU."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from affnet.artifact import Arrays, TensorSpec
from affnet.errors import ArtifactError, first_line, require
from affnet.files import scratch_folder
from affnet.placement import CPU, Placement
from affnet.runtimes import Interface
from affnet.runtimes.onnxruntime_profile import operator_times, placed_operators

_DISCARDED = 2  # runs before those that are profiled: memory is laid out in the first


class OnnxRuntime:
    """Runs ``.onnx`` files with ONNX Runtime's CPU execution provider."""

    name = "onnxruntime"
    format = "onnx"
    suffix = ".onnx"
    distribution = "onnxruntime"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        require("onnxruntime", extra=None, purpose="Running ONNX files")
        import onnxruntime

        return str(onnxruntime.__version__)

    @classmethod
    def load(cls, path: Path, *, threads: int) -> OnnxSession:
        """See `Runtime.load`."""
        require("onnxruntime", extra=None, purpose="Running ONNX files")
        return OnnxSession(path, threads)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`."""
        import onnx

        graph = read_model(path).graph
        weights = {value.name for value in graph.initializer}
        inputs = [value for value in graph.input if value.name not in weights]
        types = [value.data_type for value in graph.initializer]
        types += [value.type.tensor_type.elem_type for value in (*inputs, *graph.output)]
        precision = "fp16" if onnx.TensorProto.FLOAT16 in types else "fp32"
        if any(node.op_type == "QuantizeLinear" for node in graph.node):
            precision = "int8"
        return Interface(tuple(map(_spec, inputs)), tuple(map(_spec, graph.output)), precision)

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`."""
        return collections.Counter(
            f"{node.domain}::{node.op_type}" if node.domain else node.op_type
            for node in read_model(path).graph.node
        )

    @classmethod
    def profile(
        cls, path: Path, *, threads: int, inputs: Arrays, runs: int
    ) -> list[tuple[str, str, int]]:
        """Return name, type and mean time in ns of each operator, in a session of its own."""
        with scratch_folder() as folder:
            session = OnnxSession(path, threads, profile=f"{folder}/profile")
            for _ in range(_DISCARDED + runs):
                session.run(*inputs)
            return operator_times(session.trace(), runs)

    @classmethod
    def placement(cls, path: Path, *, threads: int, inputs: Arrays) -> Placement:
        """Return where the operators run: of one run, in a session of its own."""
        with scratch_folder() as folder:
            session = OnnxSession(path, threads, profile=f"{folder}/profile")
            session.run(*inputs)
            return Placement((CPU,), placed_operators(session.trace()))


class OnnxSession:
    """One inference session; ``profile`` is how the file of its profiler begins, if it has one."""

    def __init__(self, path: Path, threads: int, profile: str | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only: they come as exceptions too
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = profile
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no base class
            raise ArtifactError(f"ONNX Runtime rejects {path}: {first_line(error)}") from error
        self._inputs = [taken.name for taken in self._session.get_inputs()]

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`."""
        feed = dict(zip(self._inputs, inputs, strict=True))
        outputs: list[NDArray[Any]] = self._session.run(None, feed)
        return outputs

    def trace(self) -> str:
        """End the profiler, and return what it wrote."""
        return Path(self._session.end_profiling()).read_text(encoding="utf-8")


def file_nodes(path: Path) -> list[tuple[str, str]]:
    """Return name and type of each node of a file's graph."""
    return [(node.name, node.op_type) for node in read_model(path).graph.node]


def read_model(path: Path) -> Any:
    """Return the message in a file, without weights that stand in others."""
    require("onnx", extra=None, purpose="Reading ONNX files")
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ArtifactError(f"{path} is damaged or no ONNX file.") from error
    if not model.graph.node:
        raise ArtifactError(f"{path} is damaged or no ONNX file: it holds no operators.")
    return model


def _spec(value: Any) -> TensorSpec:
    """Read a ``ValueInfoProto``; an axis of unknown size gets a name."""
    import onnx

    declared = value.type.tensor_type
    shape = tuple(
        axis.dim_value if axis.dim_value > 0 else axis.dim_param or f"axis {index}"
        for index, axis in enumerate(declared.shape.dim)
    )
    known = {number: name for name, number in onnx.TensorProto.DataType.items()}
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(declared.elem_type).name
    except (KeyError, TypeError, ValueError):  # a sequence, a map, or a type that numpy lacks
        dtype = known.get(declared.elem_type, "unknown").lower()
    return TensorSpec(value.name, shape, dtype)
