"""Converters: one file per artifact format, behind one protocol, and one line in `CONVERTERS`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import nn

from affnet.artifact import TensorSpec
from affnet.errors import UnknownNameError

CONVERTERS: dict[str, str] = {
    "onnx": "affnet.export.converters.onnx:OnnxConverter",
    "tflite": "affnet.export.converters.tflite:TfliteConverter",
    "torch": "affnet.export.converters.torch:TorchConverter",
}


@dataclass(frozen=True)
class ConversionRequest:
    """What every converter is told."""

    name: str  # of the file, without suffix
    image_size: tuple[int, int]  # height, width
    precision: str
    dynamic_batch: bool
    native_fft: bool  # whether the network still has torch.fft operators
    layout: str = "NCHW"  # of the input: NCHW or NHWC
    labels: tuple[str, ...] | None = None  # class names, for formats that store them
    image_input: bool = False  # take 8-bit images instead of floats in 0..1
    deployment_target: str | None = None  # the oldest system the file must run on


@dataclass(frozen=True)
class Conversion:
    """What a converter made."""

    path: Path
    route: str  # the path taken, such as "torch.export"
    details: dict[str, Any] = field(default_factory=dict)  # what only this format has
    input: TensorSpec | None = None  # where it is not float32 in 0..1 called "image"


class Converter(Protocol):
    """Turns a network in eval mode into a file of one format."""

    format: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]]  # the first is the default
    layouts: ClassVar[tuple[str, ...]]  # the first is the default
    native_fft: ClassVar[bool]  # whether the format has an FFT operator
    auto_fft: ClassVar[str]  # what --fft auto means: "auto" asks the planner, "native" keeps it
    plans: ClassVar[tuple[str, ...]]  # the DFT plans that --fft auto chooses from
    tools: ClassVar[tuple[str, ...]]  # packages whose versions decide the result

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """Write the artifact into ``folder``.

        ``network`` maps B x 3 x H x W to B x classes; it is the converter's own, to change.

        Raises:
            MissingError: a package is not installed.
            ConversionError: the format cannot hold the network.
        """
        ...


def get_converter(name: str) -> type[Converter]:
    """Return the converter class of the format called ``name``."""
    if name not in CONVERTERS:
        raise UnknownNameError("format", name, CONVERTERS)
    module, _, attribute = CONVERTERS[name].partition(":")
    converter: type[Converter] = getattr(importlib.import_module(module), attribute)
    return converter
