"""TFLite, for LiteRT on Android and on edge boxes.

What it cannot hold: complex tensors between operators, hence any FFTs but a filter's own, which
``--fft native`` writes with ``RFFT2D`` (`tflite_fft`); an image count chosen at run time, since
litert-torch turns it into constants; the products of the other DFT plans, which its passes get
wrong where rows are single.  Maps are kept channels last: transforms and normalisations are written
so that nothing is transposed.  Input range and class names are in the file as TFLite's metadata.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from affnet.errors import ConversionError, MissingError, UsageError, reason_of
from affnet.export.converters import Conversion, ConversionRequest
from affnet.export.converters.tflite.borders import with_borders
from affnet.export.converters.tflite.from_onnx import convert_through_onnx
from affnet.export.converters.tflite.lowering import (
    with_constants_kept_apart,
    with_fewer_traces,
)
from affnet.export.converters.tflite.metadata import Described, with_metadata
from affnet.export.converters.tflite.native_fft import LiteRtFFT, register_lowering
from affnet.export.converters.tflite.pixels import pixels_alone, with_pixels
from affnet.export.converters.tflite.quantization import (
    in_int8,
    with_float16_weights,
    with_int8_weights,
)
from affnet.export.converters.tflite.quantized_operators import with_whole_paths
from affnet.export.converters.tflite.quantizer import QUANTIZER
from affnet.export.converters.tflite.scattering import with_loadable_scattering
from affnet.export.fourier.forward_only import replace_native_transforms
from affnet.export.passes.chunked_filter import chunk_filters
from affnet.export.passes.folding import fold_batch_norms
from affnet.export.passes.graph_pixels import PICTURE, GraphPixels
from affnet.export.passes.normalization import keep_channels_last
from affnet.export.quantization import LOSSY
from affnet.files import write_and_sync
from affnet.runtimes.litert import CUSTOM_PREFIX, LiteRtRuntime
from affnet.silence import silenced

# Of a filter's map.  Slices of channels are strided where these stand last: dividing 2 MB loses.
_CHUNK_BYTES = 2 << 20
_INPUT_RANGE = (0.0, 1.0)  # of float images, as every network here takes them


class TfliteConverter:
    """Converts through litert-torch and reads the operators of the result back."""

    format = "tflite"
    precisions = ("fp32", "fp16", "int8", "int8-weights")
    computes_in_half = ()  # its float16 is of weights
    keeps_float = ("int8", "int8-weights")
    layouts = ("NHWC", "NCHW")
    routes = ("torch.export", "ONNX")
    auto_fft = "auto"
    plans = ("channels_last", "right", "folded_channels_last", "mixed_radix_channels_last")
    options = ("preprocess", "io_type")
    heads = ("softmax", "argmax", "anchors")
    usual_heads = ("softmax", "anchors")
    operators = "tflite"
    border_types: ClassVar = {  # int64 becomes int32, others mean 8 bits
        **dict.fromkeys(("int8", "int16", "int64", "uint8"), "int32"),
        **{"float16": "float32", "float64": None},
    }
    scalar_inputs = True
    fixed_shapes = "litert-torch takes no open length as an operator's argument"
    packages = ("litert_torch", "ai_edge_litert", QUANTIZER.replace("-", "_"))
    extra = "tflite"
    tools = ("torch", "litert-torch", "ai-edge-litert", QUANTIZER, "onnx", "onnxsim")

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """See `Converter.convert`."""
        if request.input.is_image and request.dynamic:
            raise UsageError("A TFLite file takes one image at a time; drop --dynamic.")
        if request.native_fft:
            replace_native_transforms(network, LiteRtFFT())
        if request.precision == "int8":
            fold_batch_norms(network)
        taken = request.input
        if not taken.is_image:  # a program says itself what it takes
            request = dataclasses.replace(request, layout="NCHW")
        outputs = request.outputs
        if request.layout == "NHWC":
            taken = taken.channels_last()
            outputs = tuple(output.channels_last() for output in outputs)
        if request.route == "ONNX":
            content = convert_through_onnx(network, request)
        else:
            chunk_filters(network, _CHUNK_BYTES)
            keep_channels_last(network)
            if request.precision in LOSSY:
                with_whole_paths(network)
            content = _converted(network, request)
        content = _in_precision(content, request)
        if request.io_type != "float32":
            bordered = with_borders(content, request.io_type, taken, outputs)
            content, taken, outputs = bordered.content, bordered.input, bordered.outputs
        if request.pixels is not None:
            content, taken = with_pixels(content, request.pixels), request.pixels.spec(PICTURE)
        if request.input.is_image:
            described = Described(
                request.name, request.task, taken.range or _INPUT_RANGE, outputs, request.labels
            )
            content = with_metadata(content, described)
        path = folder / f"{request.name}.tflite"
        write_and_sync(path, content)
        _check_operators(path)
        return Conversion(path, inputs=(taken, *request.inputs[1:]), outputs=outputs)

    @staticmethod
    def write_pixels(pixels: GraphPixels, folder: Path) -> Path:
        """See `Converter.write_pixels`."""
        path = folder / "pixels.tflite"
        path.write_bytes(pixels_alone(pixels))
        return path


def _in_precision(content: bytes, request: ConversionRequest) -> bytes:
    """Return a file in float32 in the precision that is asked for."""
    match request.precision:
        case "fp16":
            return with_float16_weights(content)
        case "int8":
            return in_int8(content, request)
        case "int8-weights":
            return with_int8_weights(content, request)
    return content


class ChannelsLast(nn.Module):
    """A network that takes B x H x W x 3."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map B x H x W x 3 to what the network gives for B x 3 x H x W, maps channels last."""
        given = self.network(image.permute(0, 3, 1, 2))
        outputs = given if isinstance(given, tuple) else (given,)
        last = tuple(one.permute(0, 2, 3, 1) if one.ndim == 4 else one for one in outputs)
        return last if isinstance(given, tuple) else last[0]


def _converted(network: nn.Module, request: ConversionRequest) -> bytes:
    name, example = request.name, request.example()
    if request.layout == "NHWC":
        (image,) = example
        network = ChannelsLast(network).eval()
        example = (image.permute(0, 2, 3, 1).contiguous(),)
    with silenced() as printed:
        try:
            litert_torch = _import_litert_torch()
            if request.native_fft:
                register_lowering()
            with with_fewer_traces(), with_constants_kept_apart():
                model: Any = litert_torch.convert(network, example)
            return with_loadable_scattering(bytes(model.model_content()))
        except (MissingError, ConversionError):
            raise
        except Exception as error:  # torch.export and MLIR raise nearly every kind
            reason = (not str(error).strip() and printed.last_line()) or reason_of(error)
            raise ConversionError(f"litert-torch cannot convert {name}: {reason}.") from error


def _import_litert_torch() -> Any:
    try:
        import litert_torch
    except ImportError as error:
        raise MissingError(
            f"litert-torch is installed but cannot be imported ({error}); "
            "run: pip install --upgrade 'affnet[tflite]'"
        ) from error
    return litert_torch


def _check_operators(path: Path) -> None:
    """Raise unless a plain LiteRT, without Flex or custom operators, runs the file."""
    operators = LiteRtRuntime.operators(path)
    foreign = sorted(name for name in operators if name.startswith(CUSTOM_PREFIX))
    if foreign:
        names = ", ".join(name.removeprefix(CUSTOM_PREFIX) for name in foreign)
        raise ConversionError(f"Operators that plain LiteRT does not have remain: {names}.")
