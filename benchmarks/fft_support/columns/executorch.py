"""ExecuTorch's edge program, with the kernels of its Python package and with XNNPACK."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fft_support.columns import Column, Steps, installed, run


def _with(delegates: bool) -> Callable[..., Steps]:
    def steps(network: Any, x: Any, folder: Path) -> Steps:
        import torch
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

        yield "conversion"
        program = to_edge_transform_and_lower(
            torch.export.export(network, (x,)),
            partitioner=[XnnpackPartitioner()] if delegates else None,
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        ).to_executorch()
        path = folder / "net.pte"
        path.write_bytes(program.buffer)
        return (yield from run("executorch", path, x))

    return steps


COLUMNS = {
    "ExecuTorch": Column(_with(False), installed("executorch")),
    "ExecuTorch, XNNPACK": Column(_with(True), installed("executorch")),
}
