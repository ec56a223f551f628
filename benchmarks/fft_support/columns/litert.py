"""litert-torch and LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.fft_support.columns import Column, Steps, installed, run


def _steps(network: Any, x: Any, folder: Path) -> Steps:
    import litert_torch

    yield "conversion"
    path = folder / "net.tflite"
    litert_torch.convert(network, (x,)).export(str(path))
    return (yield from run("litert", path, x))


COLUMNS = {"litert-torch, LiteRT": Column(_steps, installed("litert-torch", "ai-edge-litert"))}
