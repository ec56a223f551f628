"""coremltools, whose ML programs affnet evaluates where there is no Mac."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from benchmarks.fft_support.columns import Column, Steps, installed, run


def _steps(network: Any, x: Any, folder: Path) -> Steps:
    import coremltools
    import torch

    yield "conversion"
    program = torch.export.export(network, (x,)).run_decompositions({})
    precision = coremltools.precision.FLOAT32
    model = coremltools.convert(program, compute_precision=precision, skip_model_load=True)
    path = folder / "net.mlpackage"
    model.save(str(path))
    return (yield from run("coreml", path, x))


_NAME = "coremltools" if platform.system() == "Darwin" else "coremltools, affnet's evaluator"
COLUMNS = {_NAME: Column(_steps, installed("coremltools"))}
