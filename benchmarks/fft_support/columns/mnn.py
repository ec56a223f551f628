"""MNN, from PyTorch's ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.fft_support.columns import Column, Steps, installed, run
from benchmarks.fft_support.columns.kept import torch_onnx, translated


def _steps(network: Any, x: Any, folder: Path) -> Steps:
    yield "torch.onnx"
    path = torch_onnx(network, x, folder, 18)
    yield "conversion"
    return (yield from run("mnn", translated("mnn", path, x, folder), x))


COLUMNS = {"torch.onnx opset 18, MNN": Column(_steps, installed("onnxscript", "MNN"))}
