"""ONNX Runtime on the CPU."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.errors import ArtifactError, first_line, require


class OnnxRuntime:
    """Runs ``.onnx`` files with ONNX Runtime's CPU execution provider."""

    name = "onnxruntime"
    format = "onnx"
    suffix = ".onnx"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        require("onnxruntime", extra=None, purpose="Running ONNX files")
        import onnxruntime

        return str(onnxruntime.__version__)

    @classmethod
    def load(cls, artifact: Artifact, *, threads: int) -> OnnxSession:
        """See `Runtime.load`."""
        require("onnxruntime", extra=None, purpose="Running ONNX files")
        return OnnxSession(artifact, threads)

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`."""
        require("onnx", extra=None, purpose="Reading ONNX files")
        import onnx
        from google.protobuf.message import DecodeError

        try:
            model = onnx.load(path, load_external_data=False)
        except DecodeError as error:
            raise ArtifactError(f"{path} is damaged or no ONNX file.") from error
        if not model.graph.node:
            raise ArtifactError(f"{path} is damaged or no ONNX file: it holds no operators.")
        return collections.Counter(
            f"{node.domain}::{node.op_type}" if node.domain else node.op_type
            for node in model.graph.node
        )


class OnnxSession:
    """One inference session."""

    def __init__(self, artifact: Artifact, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only: they come as exceptions too
        try:
            self._session = onnxruntime.InferenceSession(
                str(artifact.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no base class
            raise ArtifactError(
                f"ONNX Runtime rejects {artifact.path}: {first_line(error)}"
            ) from error
        self._input = self._session.get_inputs()[0].name

    def run(self, image: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`."""
        outputs: list[NDArray[Any]] = self._session.run(None, {self._input: image})
        return outputs
