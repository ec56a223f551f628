"""IREE on the CPU, by iree-turbine.

To install: ``pip install --no-deps iree-base-compiler iree-base-runtime iree-turbine decorator``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from affnet.silence import silenced
from benchmarks.fft_support.columns import Column, Steps, installed

PACKAGES = ("iree-base-compiler", "iree-base-runtime", "iree-turbine")
_OPERATOR = re.compile(r'name = "([\w.]+)"')


def _steps(network: Any, x: Any, folder: Path) -> Steps:
    import iree.runtime
    import iree.turbine.aot as aot
    import torch

    yield "conversion"
    exported = aot.export(torch.export.export(network, (x,)))
    exported.session.set_flags("--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O2")
    path = folder / "net.vmfb"
    with silenced() as said:
        try:
            exported.compile(save_to=str(path), target_backends="llvm-cpu")
        except RuntimeError as error:  # "See diagnostics", which were printed
            raise RuntimeError(diagnosis(said.lines()) or str(error)) from None
    yield "load"
    module = iree.runtime.load_vm_flatbuffer(path.read_bytes(), driver="local-sync")
    yield "run"
    given = module.main(x.numpy())  # kept: an array of a temporary one is freed
    return np.array(given.to_host())


def diagnosis(lines: list[str]) -> str | None:
    """Return the first error, with the name of the operator but without its types."""
    for line in lines:
        _, found, text = line.partition("error: ")
        if found:
            reason, _, operation = text.partition(": %")
            operator = _OPERATOR.search(operation)
            return f"{reason}: {operator[1]}" if operator else reason
    return None


COLUMNS = {"IREE": Column(_steps, installed(*PACKAGES))}
