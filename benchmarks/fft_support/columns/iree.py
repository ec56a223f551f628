"""IREE on the CPU, by iree-turbine.

To install: ``pip install --no-deps iree-base-compiler iree-base-runtime iree-turbine decorator``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fft_support.columns import Column, Steps, installed

PACKAGES = ("iree-base-compiler", "iree-base-runtime", "iree-turbine")


def _steps(network: Any, x: Any, folder: Path) -> Steps:
    import iree.runtime
    import iree.turbine.aot as aot
    import torch

    yield "conversion"
    exported = aot.export(torch.export.export(network, (x,)))
    exported.session.set_flags("--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O2")
    path = folder / "net.vmfb"
    try:
        exported.compile(save_to=str(path), target_backends="llvm-cpu")
    except Exception as error:  # of its own class, whose first line says that it failed
        reasons = [line for line in str(error).splitlines() if "error:" in line]
        raise RuntimeError((reasons or [str(error)])[0].partition("error:")[2].strip()) from error
    yield "load"
    module = iree.runtime.load_vm_flatbuffer(path.read_bytes(), driver="local-sync")
    yield "run"
    given = module.main(x.numpy())  # kept: an array of a temporary one is freed
    return np.array(given.to_host())


COLUMNS = {"IREE": Column(_steps, installed(*PACKAGES))}
