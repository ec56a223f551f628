"""MNN's ``.mnn``, made from the ONNX file by MNN's compiled converter.

The converter's Python wrapper, `MNN.tools.mnnconvert`, installs a logging SDK with pip when it is
imported and reports each conversion; what it wraps does neither.

What it cannot hold: ``--fft native``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affnet.errors import ConversionError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.from_onnx import (
    OF_FLOATS,
    FromOnnx,
    no_file,
    rounded_to_half,
    run_tool,
)
from affnet.processes import python_command
from affnet.runtimes.mnn import SETTINGS

#: Whose axes it reads as the attribute that they were before opset 18, and as nothing else.
_OF_AN_ATTRIBUTE = (
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceSumSquare",
)

# Recurrent layers as one operator: as loops, the other form, sessions do not run them.
_OPTIONS = ("--useOriginRNNImpl",)

_CONVERT = "import sys, _tools; _tools.mnnconvert(sys.argv)"

_NARROWING = {"fp32": (), "fp16": ("--fp16",), "int8-weights": ("--weightQuantBits", "8")}


class MnnConverter(FromOnnx):
    """Has MNN's converter read the ONNX file."""

    format = "mnn"
    precisions = ("fp32", "fp16", "int8-weights")
    computes_in_half = ()  # float16 is how weights are stored
    keeps_float = ()
    packages = ("MNN", "onnx", "onnxscript", "onnxsim")
    extra = "mnn"
    border_types = OF_FLOATS
    fixed_shapes = "MNN lays a graph out once, for the shapes of one session"
    tools = ("torch", "onnx", "onnxscript", "onnxsim", "MNN")
    settings = SETTINGS

    def translate(self, model: Path, request: ConversionRequest, folder: Path) -> Path:
        """See `FromOnnx.translate`; the converter ends with 0 whether it has written a file or not.

        It cuts weights to float16 off; rounded beforehand, they lose nothing by that.  Of some
        reductions it ignores the input that opset 18 gives the axes by, and reduces over all.
        """
        _sort_outputs(model, request.output_names)
        _axes_as_attributes(model)
        if request.precision == "fp16":
            rounded_to_half(model)
        path = folder / f"{request.name}.mnn"
        options = ["-f", "ONNX", "--modelFile", str(model), "--MNNModel", str(path), *_OPTIONS]
        command = [*python_command(), "-c", _CONVERT, *options, *_NARROWING[request.precision]]
        code, lines = run_tool("MNN's converter", command)
        if code != 0 or not path.exists():
            raise ConversionError(f"MNN cannot convert {request.name}: {_reason(lines)}.")
        return path


def _reason(lines: list[str]) -> str:
    for index, line in enumerate(lines):
        if "Not Support" in line:  # the operators are named in the lines after it
            _, _, found = line.rpartition("Op Not Support: ")
            operators = [found, *lines[index + 1 : -1]]
            return "it has no operator " + ", ".join(filter(None, operators)).rstrip(".")
    return no_file(lines)


def _sort_outputs(path: Path, names: list[str]) -> None:
    """Rename outputs whose names are not in their order, by which MNN gives them."""
    if sorted(names) == names:
        return
    import onnx

    model: Any = onnx.load(path)
    renamed = {name: f"{index}_{name}" for index, name in enumerate(names)}
    for node in model.graph.node:
        for values in (node.input, node.output):
            values[:] = [renamed.get(value, value) for value in values]
    for value in model.graph.output:
        value.name = renamed[value.name]
    path.write_bytes(model.SerializeToString())


def _axes_as_attributes(path: Path) -> None:
    """Give reductions their axes as MNN's converter reads them, which ONNX no longer allows."""
    import onnx

    model: Any = onnx.load(path)
    known = {one.name: one for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _OF_AN_ATTRIBUTE and len(node.input) > 1 and node.input[1] in known:
            axes = onnx.numpy_helper.to_array(known[node.input[1]])
            node.attribute.append(onnx.helper.make_attribute("axes", axes.tolist()))
            del node.input[1]
    path.write_bytes(model.SerializeToString())
