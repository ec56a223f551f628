"""ncnn, by pnnx from a TorchScript trace."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from benchmarks.fft_support.columns import Column, Steps, installed, run


def _steps(network: Any, x: Any, folder: Path) -> Steps:
    import torch

    from affnet.export.converters.ncnn import _program

    yield "conversion"
    torch.jit.trace(network, x).save(str(folder / "net.pt"))
    shape = ",".join(map(str, x.shape))
    command = [_program(), "net.pt", f"inputshape=[{shape}]f32", "fp16=0"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return (yield from run("ncnn", folder / "net.ncnn.param", x))


COLUMNS = {"pnnx + ncnn": Column(_steps, installed("pnnx", "ncnn"))}
