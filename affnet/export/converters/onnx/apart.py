"""torch's exporter by TorchScript tried in a process of its own, which a crash of it ends.

It dies of a segmentation fault on some graphs that torch.export holds, as that of plenoptic's
statistics of textures (torch 2.13.0).
"""

from __future__ import annotations

import io
import signal
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

from affnet.errors import ConversionError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.from_onnx import run_tool
from affnet.processes import module_command
from affnet.silence import silenced


def try_torchscript(network: nn.Module, request: ConversionRequest, opset: int) -> None:
    """Export ``network`` in another process first, lest it end this one.

    What torch.export does not write is left to this process, as are errors that are raised.

    Raises:
        ConversionError: a signal ended the process, or it does not end.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.pt2"
        try:
            with silenced():
                torch.export.save(torch.export.export(network, request.example()), path)
        except Exception:  # of no common class
            return
        code = run_tool("torch.onnx", [*module_command(__name__), str(path), str(opset)]).code
    if code < 0:
        name = signal.Signals(-code).name
        raise ConversionError(f"torch.onnx crashes on {request.name} by TorchScript ({name}).")


def main() -> None:
    """Export the program of a file, and keep nothing."""
    path, opset = sys.argv[1:]
    program = torch.export.load(path)
    assert program.example_inputs is not None  # that it was exported with
    example, _ = program.example_inputs
    torch.onnx.export(
        program.module(),
        example,
        io.BytesIO(),  # type: ignore[arg-type]  # the old exporter also writes to open files
        dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        opset_version=int(opset),
    )


if __name__ == "__main__":
    main()
