"""OpenVINO, from PyTorch's ONNX files and by its own reader of PyTorch modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fft_support.columns import OPSETS, Column, Steps, installed, run
from benchmarks.fft_support.columns.kept import torch_onnx, translated


def _from_onnx(opset: int) -> Callable[..., Steps]:
    def steps(network: Any, x: Any, folder: Path) -> Steps:
        yield "torch.onnx"
        path = torch_onnx(network, x, folder, opset)
        yield "conversion"
        return (yield from run("openvino", translated("openvino", path, x, folder), x))

    return steps


def _from_torch(network: Any, x: Any, folder: Path) -> Steps:
    import openvino

    yield "conversion"
    model = openvino.convert_model(network, example_input=x, input=list(x.shape))
    path = folder / "net.xml"
    openvino.save_model(model, path, compress_to_fp16=False)
    return (yield from run("openvino", path, x))


COLUMNS = {
    **{
        f"torch.onnx opset {opset}, OpenVINO": Column(
            _from_onnx(opset), installed("onnxscript", "openvino")
        )
        for opset in OPSETS
    },
    "OpenVINO from torch": Column(_from_torch, installed("openvino")),
}
