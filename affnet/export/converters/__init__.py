"""Converters: one file per artifact format, behind one protocol, and one line in `CONVERTERS`.

All else that lists formats reads them here, which loads nothing heavy.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from affnet.errors import MissingError, UnknownNameError, require
from affnet.export.quantization.layers import NOTHING_KEPT, Kept

if TYPE_CHECKING:
    from torch import Tensor, nn

    from affnet.artifact import Arrays, TensorSpec
    from affnet.dynamic_axes import DynamicAxis
    from affnet.export.passes.graph_pixels import GraphPixels

CONVERTERS: dict[str, str] = {
    "coreai": "affnet.export.converters.coreai:CoreAiConverter",
    "coreml": "affnet.export.converters.coreml.converter:CoreMLConverter",
    "executorch": "affnet.export.converters.executorch.converter:ExecutorchConverter",
    "mnn": "affnet.export.converters.mnn:MnnConverter",
    "ncnn": "affnet.export.converters.ncnn:NcnnConverter",
    "onnx": "affnet.export.converters.onnx.converter:OnnxConverter",
    "openvino": "affnet.export.converters.openvino:OpenVinoConverter",
    "tflite": "affnet.export.converters.tflite.converter:TfliteConverter",
    "torch": "affnet.export.converters.torch:TorchConverter",
}
#: Packages whose source pip installs alone where they have no build, and the compiled part, which
#: they look for at its first use only.  coremltools 9.0 on Python 3.14 was seen.
_COMPILED = {"coremltools": "libmilstoragepython"}


class HalfTrial(Protocol):
    """A device that computes in float16, to try candidates of a file on."""

    @property
    def place(self) -> str:
        """Its name."""
        ...

    def excess(self, file: Path) -> float:
        """Return a file's error there, as a multiple of what is allowed; infinity if not finite."""
        ...


@dataclass(frozen=True)
class ConversionRequest:
    """What every converter is given."""

    name: str  # of the file, without suffix
    inputs: tuple[TensorSpec, ...]  # as the network takes them: an image is NCHW, in 0..1
    outputs: tuple[TensorSpec, ...]  # in the order in which the network returns them
    precision: str
    route: str  # one of the converter's
    native_fft: bool  # whether the network still has torch.fft operators
    layout: str = "NCHW"  # of the input: NCHW or NHWC
    task: str = "classification"  # of `affnet.artifact.TASKS`
    labels: tuple[str, ...] | None = None  # class names, for formats that store them
    pixels: GraphPixels | None = None  # what the file does to pictures before the network
    io_type: str = "float32"  # of the borders of a file that computes in 8 bits
    image_input: bool = False  # take 8-bit images instead of floats in 0..1
    deployment_target: str | None = None  # the oldest system the file must run on
    calibration: tuple[Arrays, ...] | None = None  # inputs, where the precision needs them
    keep_float: Kept = NOTHING_KEPT  # that neither 8 bits nor float16 may touch
    target: str = "any"  # processors of 8-bit weights, of `affnet.export.quantization.TARGETS`
    #: Inputs of its static shapes, as the network takes them, that show what float16 cannot hold:
    #: see `affnet.export.converters.mixed_precision`.  Without any, only constants are looked at.
    samples: tuple[Arrays, ...] = ()
    dynamic: tuple[DynamicAxis, ...] = ()  # the lengths that the inputs' shapes name
    half_trial: HalfTrial | None = None  # a device whose float16 arithmetic the file is to bear

    @property
    def input(self) -> TensorSpec:
        """The first input: the only one of networks that take images."""
        return self.inputs[0]

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, in their order."""
        return [taken.name for taken in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, in their order."""
        return [output.name for output in self.outputs]

    def example(self, least: int = 2) -> tuple[Tensor, ...]:
        """Return inputs of zeros, integers of the smallest that is taken.

        A dynamic axis has at least the length 2, as 1 would become a constant.
        """
        import numpy as np
        from torch import from_numpy

        lengths = {axis.name: max(least, axis.example) for axis in self.dynamic}
        return tuple(
            from_numpy(np.full(spec.sized(lengths).static_shape(), _smallest(spec), spec.dtype))
            for spec in self.inputs
        )


def _smallest(spec: TensorSpec) -> float:
    """Return the smallest of the integers that an input takes; 0 for other types."""
    return spec.range[0] if spec.range and spec.dtype.startswith(("int", "uint")) else 0.0


@dataclass(frozen=True)
class Conversion:
    """What a converter made."""

    path: Path
    details: dict[str, Any] = field(default_factory=dict)  # what only this format has
    inputs: tuple[TensorSpec, ...] | None = None  # where the file takes others than the network
    outputs: tuple[TensorSpec, ...] | None = None  # where it gives others


class Converter(Protocol):
    """Turns a network in eval mode into a file of one format."""

    format: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]]  # the first is the default
    computes_in_half: ClassVar[tuple[str, ...]]  # those of them whose activations are float16
    keeps_float: ClassVar[tuple[str, ...]]  # those that `ConversionRequest.keep_float` holds for
    layouts: ClassVar[tuple[str, ...]]  # the first is the default
    routes: ClassVar[tuple[str, ...]]  # ways through other tools, the preferred one first
    auto_fft: ClassVar[str]  # what --fft auto means: "auto" asks the planner, "native" keeps it
    plans: ClassVar[tuple[str, ...]]  # the DFT plans that --fft auto chooses from
    operators: ClassVar[str | None]  # whose table of `affnet.export.operators` it takes
    packages: ClassVar[tuple[str, ...]]  # that must be importable
    extra: ClassVar[str | None]  # of affnet, that brings them
    options: ClassVar[tuple[str, ...]]  # of image_input, deployment_target, preprocess, io_type
    heads: ClassVar[tuple[str, ...]]  # of `affnet.export.passes.heads.HEADS`: what files can hold
    usual_heads: ClassVar[tuple[str, ...]]  # those of them that its readers expect
    #: Types of inputs and outputs that its files do not hold, and what stands for each, if any.
    border_types: ClassVar[Mapping[str, str | None]]
    #: Why axes of own networks cannot be dynamic in its files; None where they can.
    fixed_shapes: ClassVar[str | None]
    scalar_inputs: ClassVar[bool]  # whether its files take single numbers, not arrays of one
    tools: ClassVar[tuple[str, ...]]  # packages whose versions decide the result

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """Write the artifact into ``folder``; an `OSError` met there may pass.

        ``network`` maps ``request.inputs`` to ``request.outputs``; it is the converter's own, to
        change.

        Raises:
            ConversionError: the format cannot hold the network.
        """
        ...


class PixelConverter(Converter, Protocol):
    """A converter that heeds ``preprocess``."""

    @staticmethod
    def write_pixels(pixels: GraphPixels, folder: Path) -> Path:
        """Write a file of the preprocessing only, to be compared with Pillow."""
        ...


class CompilingConverter(Converter, Protocol):
    """A converter whose files are sealed: their parts can only be compiled anew."""

    @staticmethod
    def in_precision(
        network: nn.Module, request: ConversionRequest
    ) -> tuple[nn.Module, dict[str, Any]]:
        """Return the network that computes in the precision asked for, and details of the file.

        What is left to do with it depends on no precision: it is converted as one of float32.
        """
        ...


def get_converter(name: str) -> type[Converter]:
    """Return the converter class of the format called ``name``."""
    if name not in CONVERTERS:
        raise UnknownNameError("format", name, CONVERTERS)
    module, _, attribute = CONVERTERS[name].partition(":")
    converter: type[Converter] = getattr(importlib.import_module(module), attribute)
    return converter


def check_installed(converter: type[Converter]) -> None:
    """Raise `MissingError`, with what mends it, unless all the converter needs is installed."""
    purpose = f"Exporting to {converter.format}"
    for package in converter.packages:
        require(package, extra=converter.extra, purpose=purpose)
        part = _COMPILED.get(package)
        if part is not None and not _has_file(package, f"{part}.*"):
            python = f"{sys.version_info[0]}.{sys.version_info[1]}"
            raise MissingError(
                f"{purpose} needs the compiled parts of {package}, without which pip installs it "
                f"where it has no build for Python {python} on this system",
                "use an older Python: affnet doctor names those that were tested.",
            )


def _has_file(package: str, pattern: str) -> bool:
    """Return whether a package, which is not imported, has a file of that name."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return any(any(Path(folder).glob(pattern)) for folder in folders or ())
