"""Formats that are made from an ONNX file: the network is written as ONNX, and that translated."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import nn

from affnet.export.converters import Conversion, ConversionRequest
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.files import scratch_folder


class FromOnnx:
    """A converter whose `translate` makes its file from an ONNX file in float32."""

    layouts = ("NCHW",)
    routes = OnnxConverter.routes
    auto_fft = "auto"
    plans = OnnxConverter.plans
    operators = OnnxConverter.operators
    options = ()
    heads: tuple[str, ...] = ("argmax",)

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """See `Converter.convert`."""
        as_float = dataclasses.replace(request, precision="fp32", samples=(), calibration=None)
        with scratch_folder() as scratch:
            made = OnnxConverter().convert(network, as_float, Path(scratch))
            return self.translate(made.path, request, folder)

    def translate(self, model: Path, request: ConversionRequest, folder: Path) -> Conversion:
        """Write the artifact of an ONNX file into ``folder``; raises as `Converter.convert`."""
        raise NotImplementedError
