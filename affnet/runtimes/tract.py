"""tract, the ONNX engine of Rust services, on one thread of the CPU."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.errors import ArtifactError, UsageError, first_line, require
from affnet.runtimes import Interface
from affnet.runtimes.onnxruntime import OnnxRuntime


class TractRuntime:
    """Runs ``.onnx`` files, whose own runtime is ONNX Runtime, with tract."""

    name = "tract"
    format = OnnxRuntime.format
    suffix = OnnxRuntime.suffix
    distribution = "tract"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        _require()
        from importlib import metadata

        import tract  # noqa: F401  # later it is there at once

        return metadata.version(cls.distribution)

    @classmethod
    def load(cls, path: Path, *, threads: int) -> TractSession:
        """See `Runtime.load`.

        Raises:
            UsageError: ``threads`` is not 1, which is all that tract's Python package uses.
        """
        _require()
        if threads != 1:
            raise UsageError(f"tract runs on one thread, not {threads}.")
        return TractSession(path)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`: as the file says."""
        return OnnxRuntime.describe(path)

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`: as the file says."""
        return OnnxRuntime.operators(path)

    @classmethod
    def profile(
        cls, path: Path, *, threads: int, inputs: Sequence[NDArray[Any]], runs: int
    ) -> list[tuple[str, str, int]]:
        """Return name, type and mean time in ns of each operator, in a session of its own.

        tract itself chooses how often it runs for that.
        """
        nodes = cls.load(path, threads=threads).profiled(inputs)
        times = [(one["node_name"], one["op_name"], one.get("secs_per_iter", 0)) for one in nodes]
        return [(name, kind, round(time * 1e9)) for name, kind, time in times if time]


class TractSession:
    """One optimized model."""

    def __init__(self, path: Path) -> None:
        import tract

        try:
            self._model: Any = tract.onnx().load(str(path)).into_model().into_runnable()
        except Exception as error:  # its own class, and what ctypes raises
            raise ArtifactError(f"tract rejects {path}: {first_line(error)}.") from error

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`; the outputs are copies."""
        return [np.array(output.to_numpy()) for output in self._model.run([*inputs])]

    def profiled(self, inputs: Sequence[NDArray[Any]]) -> list[dict[str, Any]]:
        """Return tract's own record of each operator."""
        nodes: list[dict[str, Any]] = json.loads(self._model.profile_json([*inputs]))["nodes"]
        return nodes


def _require() -> None:
    require("tract", extra="tract", purpose="Running ONNX files in tract")
