"""ncnn's ``.param`` for the graph and ``.bin`` for the weights, made from the ONNX file by pnnx.

What it cannot hold: ``--fft native``, batches, and tensors of more than four axes.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from affnet.errors import ConversionError, require
from affnet.export.converters import ConversionRequest
from affnet.export.converters.from_onnx import (
    OF_FLOATS,
    FromOnnx,
    no_file,
    rounded_to_half,
    run_tool,
)
from affnet.export.converters.ncnn_layers import complete, values_with_batch
from affnet.runtimes.ncnn import SETTINGS

# What else pnnx writes.
_OTHERS = ("ncnnpy", "pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")


class NcnnConverter(FromOnnx):
    """Has pnnx read the ONNX file."""

    format = "ncnn"
    operators = "ncnn"
    precisions = ("fp32", "fp16")
    computes_in_half = ()  # float16 is how weights are stored
    keeps_float = ()
    packages = ("pnnx", "ncnn", "onnx", "onnxscript", "onnxsim")
    extra = "ncnn"
    border_types = OF_FLOATS
    fixed_shapes = "pnnx computes the graph for the sizes of one input"
    tools = ("torch", "onnx", "onnxscript", "onnxsim", "pnnx", "ncnn")
    settings = SETTINGS

    def translate(self, model: Path, request: ConversionRequest, folder: Path) -> Path:
        """See `FromOnnx.translate`; pnnx ends with 0 whatever it could not translate."""
        if request.input.dynamic_batch:
            raise ConversionError("ncnn has no batch axis; omit --dynamic.")
        half = request.precision == "fp16"
        if half:
            rounded_to_half(model)
        path = folder / f"{request.name}.ncnn.param"
        weights = path.with_suffix(".bin")
        shape = ",".join(map(str, request.input.static_shape()))
        scratch = model.parent
        command = [
            _program(), model.name, f"inputshape=[{shape}]f32", f"fp16={int(half)}",
            f"ncnnparam={path.resolve()}", f"ncnnbin={weights.resolve()}",
            *(f"{name}={scratch / name}" for name in _OTHERS),
        ]  # fmt: skip
        code, lines = run_tool("pnnx", command, folder=scratch)
        if code != 0 or not path.exists() or not weights.exists():
            raise ConversionError(f"pnnx cannot convert {request.name}: {no_file(lines)}.")
        self.try_out(path, request)  # it is run for its sizes
        script = (scratch / "ncnnpy").read_text(encoding="utf-8")
        complete(path, request.input.static_shape(), values_with_batch(script))
        return path


def _program() -> str:
    require("pnnx", extra="ncnn", purpose="Exporting to ncnn")
    found = importlib.util.find_spec("pnnx")  # importing it would import torch's exporters
    assert found is not None
    assert found.submodule_search_locations is not None
    return str(Path(next(iter(found.submodule_search_locations)), "pnnx"))
