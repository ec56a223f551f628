"""coreai-torch, run by Core AI on a Mac of macOS 27 and by its interpreter elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.fft_support.columns import Column, Steps, installed, run


def _steps(network: Any, x: Any, folder: Path) -> Steps:
    import torch
    from coreai_torch import TorchConverter, get_decomp_table

    yield "conversion"
    program = torch.export.export(network, (x,)).run_decompositions(get_decomp_table())
    path = folder / "net.aimodel"
    TorchConverter().add_exported_program(program).to_coreai().save_asset(path)
    return (yield from run("coreai", path, x))


COLUMNS = {"Core AI": Column(_steps, installed("coreai-torch", "coreai-core"))}
