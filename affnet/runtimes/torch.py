"""PyTorch on the CPU, running an exported program: the baseline every format is compared with."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.errors import require
from affnet.exported_program import load_exported_program
from affnet.runtimes import Interface


class TorchRuntime:
    """Runs ``.pt2`` files: exported programs, executed operator by operator like eager PyTorch."""

    name = "torch"
    format = "torch"
    suffix = ".pt2"
    distribution = "torch"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        require("torch", extra=None, purpose="Running exported programs")
        import torch

        return str(torch.__version__)

    @classmethod
    def load(cls, path: Path, *, threads: int) -> TorchSession:
        """See `Runtime.load`."""
        require("torch", extra=None, purpose="Running exported programs")
        return TorchSession(path, threads)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`."""
        require("torch", extra=None, purpose="Running exported programs")
        program = load_exported_program(path)
        values = {node.name: node.meta.get("val") for node in program.graph.nodes}
        signature = program.graph_signature
        inputs = tuple(_spec(name, values.get(name)) for name in signature.user_inputs)
        outputs = tuple(_spec(name, values.get(name)) for name in signature.user_outputs)
        half = any(str(value.dtype) == "torch.float16" for value in program.state_dict.values())
        return Interface(inputs, outputs, "fp16" if half else "fp32")

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

    def __init__(self, path: Path, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._torch = torch
        self._module = load_exported_program(path).module()

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`."""
        with self._torch.inference_mode():
            output = self._module(*map(self._torch.from_numpy, inputs))
        return [value.numpy() for value in self._torch.utils._pytree.tree_leaves(output)]


def _spec(name: Any, value: Any) -> TensorSpec:
    """Describe what a node of the program stands for; anything but a tensor has no shape."""
    if not hasattr(value, "dtype"):
        return TensorSpec(str(name), (), type(value).__name__)
    shape = tuple(axis if isinstance(axis, int) else str(axis) for axis in value.shape)
    return TensorSpec(str(name), shape, str(value.dtype).removeprefix("torch."))
