"""PyTorch's ONNX files in the runtimes of Python that read them: ONNX Runtime and tract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fft_support.columns import OPSETS, Column, Steps, installed, run
from benchmarks.fft_support.columns.kept import torch_onnx


def _in(runtime: str, opset: int) -> Callable[..., Steps]:
    def steps(network: Any, x: Any, folder: Path) -> Steps:
        yield "torch.onnx"
        path = torch_onnx(network, x, folder, opset)
        return (yield from run(runtime, path, x))

    return steps


COLUMNS = {
    f"torch.onnx opset {opset}, {runtime}": Column(
        _in(runtime, opset), installed("onnxscript", runtime)
    )
    for runtime in ("onnxruntime", "tract")
    for opset in OPSETS
}
