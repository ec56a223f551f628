"""Files that several columns read, made once for each row."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Kept:
    """Where such files are kept, and of which row they are."""

    folder: Path
    row: str = ""


def kept_file(kind: str, folder: Path, make: Callable[[], bytes]) -> Path:
    """Copy what ``make`` returned for this row, in whichever column, or raise as it did."""
    name = hashlib.sha256(f"{Kept.row}-{kind}".encode()).hexdigest()
    path, failed = Kept.folder / f"{name}.onnx", Kept.folder / f"{name}.error"
    if not path.exists() and not failed.exists():
        try:
            path.write_bytes(make())
        except Exception as error:  # of every kind
            from affnet.errors import reason_of

            failed.write_text(reason_of(error))
    if failed.exists():
        raise RuntimeError(failed.read_text())
    return Path(shutil.copy(path, folder / "net.onnx"))


def torch_onnx(network: Any, x: Any, folder: Path, opset: int) -> Path:
    """Export with PyTorch's own exporter."""
    import torch

    def export() -> bytes:
        program = torch.onnx.export(network, (x,), dynamo=True, opset_version=opset, verbose=False)
        content: bytes = program.model_proto.SerializeToString()
        return content

    return kept_file(f"torch {opset}", folder, export)


def translated(format_: str, path: Path, x: Any, folder: Path) -> Path:
    """Have the format's own tool convert an ONNX file; affnet only starts it."""
    import onnx

    from affnet.artifact import TensorSpec
    from affnet.export.converters import ConversionRequest, get_converter

    (output,) = (value.name for value in onnx.load(path).graph.output)
    taken, given = (TensorSpec(name, tuple(x.shape), "float32") for name in ("x", output))
    request = ConversionRequest("net", (taken,), (given,), "fp32", "", native_fft=False)
    return get_converter(format_)().translate(path, request, folder)  # type: ignore[attr-defined]
