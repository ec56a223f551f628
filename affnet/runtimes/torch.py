"""PyTorch on the CPU, running an exported program: the baseline every format is compared with."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.errors import require
from affnet.exported_program import load_exported_program


class TorchRuntime:
    """Runs ``.pt2`` files: exported programs, executed operator by operator like eager PyTorch."""

    name = "torch"
    format = "torch"
    suffix = ".pt2"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        require("torch", extra=None, purpose="Running exported programs")
        import torch

        return str(torch.__version__)

    @classmethod
    def load(cls, artifact: Artifact, *, threads: int) -> TorchSession:
        """See `Runtime.load`."""
        require("torch", extra=None, purpose="Running exported programs")
        return TorchSession(artifact, threads)

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`."""
        graph = load_exported_program(path).graph
        return collections.Counter(
            str(node.target).removeprefix("aten.").split(".")[0]
            for node in graph.nodes
            if node.op == "call_function"
        )


class TorchSession:
    """One loaded program."""

    def __init__(self, artifact: Artifact, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._torch = torch
        self._module = load_exported_program(artifact.path).module()

    def run(self, image: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`."""
        with self._torch.inference_mode():
            output = self._module(self._torch.from_numpy(image))
        return [output.numpy()]
