"""Formats that are made from an ONNX file: the network is written as ONNX, and that translated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import nn

from affnet.errors import ArtifactError, ConversionError
from affnet.export.converters import Conversion, ConversionRequest
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.export.quantization import CALIBRATED
from affnet.files import all_files, scratch_folder, sync
from affnet.processes import TooMuchOutputError, run_bounded
from affnet.runtimes import runtime_for, trial

#: What takes half a minute at most for the networks of this package.
TIMEOUT_S = 1800.0

_SHORT = 8  # values, of a constant that is no weight
#: How each precision stores weights.
_WEIGHTS = {"fp32": "float32", "fp16": "float16", "int8": "int8", "int8-weights": "int8"}

#: Of converters whose runtimes are fed with float32 alone.
OF_FLOATS: Mapping[str, str | None] = {
    **dict.fromkeys(("bool", "int8", "int16", "int32", "int64", "uint8", "float64")),
    "float16": "float32",
}


class FromOnnx:
    """A converter whose `translate` makes its file from an ONNX file.

    That is in float32, or in 8 bits where activations are to be: ranges, parts that stay in
    floating point and the bound on accuracy are then those of ONNX.

    None of them keeps FFTs: what their runtimes make of ONNX's DFT is refused or wrong.
    """

    layouts = ("NCHW",)
    format: str
    routes = OnnxConverter.routes
    auto_fft = "auto"
    plans: tuple[str, ...] = OnnxConverter.plans
    operators = OnnxConverter.operators
    options = ()
    heads: tuple[str, ...] = ("softmax", "argmax")
    usual_heads = ()
    border_types: Mapping[str, str | None] = OnnxConverter.border_types
    scalar_inputs = OnnxConverter.scalar_inputs
    fixed_shapes: str | None = None
    settings: Mapping[str, object]  # that its runtime must be given, by an app too

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """See `Converter.convert`."""
        if request.native_fft:
            raise ConversionError(
                f"ONNX's DFT is not computed right in files of the format {self.format}; omit "
                "--fft native to have the transforms replaced."
            )
        as_onnx = dataclasses.replace(request, samples=())
        if request.precision not in CALIBRATED:
            as_onnx = dataclasses.replace(as_onnx, precision="fp32", calibration=None)
        with scratch_folder() as scratch:
            made = OnnxConverter().convert(network, as_onnx, Path(scratch))
            path = self.translate(made.path, request, folder)
        self.try_out(path, request)
        for file in all_files(path):
            sync(file)
        stored = _WEIGHTS[request.precision]
        return Conversion(path, {"weights": stored, "settings": dict(self.settings)})

    def try_out(self, path: Path, request: ConversionRequest) -> None:
        """Run the file in another process once: it may end the process that runs it."""
        try:
            trial.try_out(path, runtime_for(self.format), request.input.static_shape())
        except ArtifactError as error:
            raise ConversionError(
                f"{request.name} cannot be run as {self.format}: {error.problem}",
                "export to another --format.",
            ) from error

    def translate(self, model: Path, request: ConversionRequest, folder: Path) -> Path:
        """Write the artifact of an ONNX file into ``folder``, and return its path.

        ``model`` is at hand for this alone, in a folder for scratch files.

        Raises:
            ConversionError: as `Converter.convert`.
        """
        raise NotImplementedError


class ToolRun(NamedTuple):
    """How a converter of its own process has ended, and the lines that it has printed."""

    code: int
    lines: list[str]


def run_tool(tool: str, command: Sequence[str], folder: Path | None = None) -> ToolRun:
    """Run a converter in a process of its own, which a crash of it ends.

    ``folder`` is where it runs, if not in this process's working directory.

    Raises:
        ConversionError: it does not end, or writes without end.
    """
    try:
        code, out, err = run_bounded(command, TIMEOUT_S, folder=folder)
    except TimeoutError:
        raise ConversionError(
            f"{tool} did not finish within {TIMEOUT_S:.0f} s",
            "try again on a machine with more free memory and processor time, or use another "
            "--format.",
        ) from None
    except TooMuchOutputError as error:
        raise ConversionError(f"{tool} prints messages without end ({error}).") from None
    lines = (line.strip() for line in (out + err).splitlines())
    return ToolRun(code, [line for line in lines if line])


def no_file(lines: Sequence[str]) -> str:
    """Return why there is no file: the last line, on which a converter says where it stopped."""
    return f"it wrote no file ({lines[-1].rstrip('.') if lines else 'and says nothing'})"


def rounded_to_half(path: Path) -> None:
    """Round the weights of an ONNX file to numbers that float16 holds, in place.

    Single numbers and short lists, an epsilon among them, stay as they are.
    """
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    largest = float(np.finfo(np.float16).max)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > _SHORT:
            rounded = np.clip(values, -largest, largest).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    path.write_bytes(model.SerializeToString())
