"""What affnet's own export of the same networks gives in each runtime, verified as for a user.

What is made of an ONNX file is made of the one that was verified, and judged by the table only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fft_support.columns import Column, Steps, installed, run
from benchmarks.fft_support.columns.kept import kept_file, translated

OF_ONNX = ("onnx", "openvino", "mnn", "ncnn")


def _exported(format_: str, network: Any, x: Any, folder: Path) -> Path:
    import torch

    from affnet.export.options import ExportOptions
    from affnet.export.pipeline import export_artifact
    from affnet.model.source import load_source

    torch.export.save(torch.export.export(network, (x,)), folder / "net.pt2")
    source = load_source(str(folder / "net.pt2"))
    return export_artifact(source, ExportOptions(format=format_), folder / "out").path


def _of(format_: str, runtime: str) -> Callable[..., Steps]:
    def steps(network: Any, x: Any, folder: Path) -> Steps:
        yield "export"
        if format_ in OF_ONNX:
            path = kept_file(
                "affnet", folder, lambda: _exported("onnx", network, x, folder).read_bytes()
            )
            if format_ != "onnx":
                path = translated(format_, path, x, folder)
        else:
            path = _exported(format_, network, x, folder)
        return (yield from run(runtime, path, x))

    return steps


COLUMNS = {
    f"affnet, {title}": Column(_of(format_, runtime), installed(*packages), rewritten=True)
    for title, format_, runtime, packages in (
        ("onnxruntime", "onnx", "onnxruntime", ("onnxscript", "onnxruntime")),
        ("tract", "onnx", "tract", ("onnxscript", "tract")),
        ("OpenVINO", "openvino", "openvino", ("openvino",)),
        ("MNN", "mnn", "mnn", ("MNN",)),
        ("ncnn", "ncnn", "ncnn", ("pnnx", "ncnn")),
        ("Core ML (evaluator)", "coreml", "coreml", ("coremltools",)),
        ("LiteRT", "tflite", "litert", ("litert-torch", "ai-edge-litert")),
        ("ExecuTorch", "executorch", "executorch", ("executorch",)),
        ("Core AI", "coreai", "coreai", ("coreai-torch", "coreai-core")),
    )
}
