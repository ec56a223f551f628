"""TFLite files of other precisions, made from the float32 file by LiteRT's quantizer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from affnet.errors import ConversionError, reason_of
from affnet.export.converters import ConversionRequest
from affnet.export.converters.tflite.flatbuffer import aligned_builder
from affnet.export.converters.tflite.quantized_operators import operators, staying
from affnet.export.converters.tflite.quantizer import QUANTIZER, quantizer_module
from affnet.export.quantization.layers import check_some_quantized
from affnet.silence import silenced

_EVERYTHING = ".*"
# What is quantised, with what `part_of` calls it.  Not products of a constant with a map, which are
# the DFT's: LiteRT has only a slow kernel for them in 8 bits (docs/accuracy.md).
_QUANTISED = {
    "ADD": "add", "CONV_2D": "conv", "DEPTHWISE_CONV_2D": "conv", "FULLY_CONNECTED": "linear",
    "LOGISTIC": "sigmoid", "MUL": "mul",
}  # fmt: skip
# An output below this share of its operand, times the largest weight where that is below 1, is
# zero but for rounding, as is the imaginary part of a transform of two points.  Its scale would be
# so fine that XNNPACK, which takes ratios of scales below 256, fails on the file; LiteRT 2.3 then
# aborts the whole process.
_NOTHING = 1e-3
# Operators with weights, which 8 bits make smaller, with what `part_of` calls each.
_WEIGHTED = {
    "BATCH_MATMUL": "matmul", "CONV_2D": "conv", "DEPTHWISE_CONV_2D": "conv",
    "EMBEDDING_LOOKUP": "embedding", "FULLY_CONNECTED": "linear", "TRANSPOSE_CONV": "conv",
}  # fmt: skip


def with_float16_weights(content: bytes) -> bytes:
    """Return a TFLite file whose weights are stored in float16.

    Each weight is followed by an operator that widens it.  Runtimes do that once, when they load
    the file, and compute in float32; those with float16 arithmetic, such as GPU delegates, take
    the weights as they are.

    Raises:
        ConversionError: the quantizer fails on the file.
    """
    with silenced():  # it prints the sizes
        qtyping = quantizer_module("qtyping")
        weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
        config = qtyping.OpQuantizationConfig(
            weight_tensor_config=weights,
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        )
        quantizer = _quantizer(content)
        quantizer.update_quantization_recipe(
            _EVERYTHING,
            qtyping.TFLOperationName.ALL_SUPPORTED,
            config,
            quantizer_module("algorithm_manager").AlgorithmName.FLOAT_CASTING,
        )
        return _quantized(quantizer)


def with_int8_weights(content: bytes, request: ConversionRequest) -> bytes:
    """Return a TFLite file whose weights are stored in 8 bits, with a scale per channel.

    Runtimes widen them when they load the file, and compute in float32.

    Raises:
        ConversionError: the quantizer fails on the file.
    """
    with silenced():
        every_kind = quantizer_module("qtyping").TFLOperationName.ALL_SUPPORTED
        spared = list(staying(content, _WEIGHTED, request.keep_float))
        content = _with_short_names(content)
        quantizer = _quantizer(content)
        quantizer.add_weight_only_config(_EVERYTHING, every_kind, 8)
        _spare(quantizer, content, spared, request.name)
        return _with_short_names(_quantized(quantizer))


def in_int8(content: bytes, request: ConversionRequest) -> bytes:
    """Return a TFLite file that computes in 8 bits, but for the parts that are kept in float32.

    Raises:
        ConversionError: the quantizer fails on the file.
    """
    assert request.calibration is not None  # the pipeline sees to it
    samples = request.calibration
    if request.layout == "NHWC":
        samples = tuple((image.transpose(0, 2, 3, 1),) for (image,) in samples)
    with silenced():
        kinds = quantizer_module("qtyping").TFLOperationName
        spared = list(staying(content, _QUANTISED, request.keep_float))
        content = _with_short_names(content)
        quantizer = _quantizer(content)
        for kind in (*_QUANTISED, *(["SOFTMAX"] if request.io_type != "float32" else [])):
            quantizer.add_static_config(_EVERYTHING, kinds[kind], 8, 8)
        _spare(quantizer, content, spared, request.name)
        signature, names = _signature(content)
        feeds = [
            dict(zip(names, map(np.ascontiguousarray, sample), strict=True)) for sample in samples
        ]
        whole = _input_name(content) if request.io_type != "float32" else None
        return _with_short_names(
            _quantized(quantizer, _ranges(content, quantizer, {signature: feeds}, whole))
        )


def _spare(quantizer: Any, content: bytes, spared: list[bool | None], name: str) -> None:
    """Leave the operators in float of which ``spared`` says so; names of tensors are unique."""
    check_some_quantized(name, False in spared)
    every_kind = quantizer_module("qtyping").TFLOperationName.ALL_SUPPORTED
    nothing = quantizer_module("algorithm_manager").AlgorithmName.NO_QUANTIZE
    for (_, graph, operator), stays in zip(operators(content), spared, strict=True):
        if stays:
            result = graph.tensors[operator.outputs[0]].name.decode()
            quantizer.update_quantization_recipe(
                f"^{re.escape(result)};", every_kind, None, nothing
            )


def _ranges(
    content: bytes, quantizer: Any, feeds: dict[str, list[dict[str, Any]]], whole: str | None
) -> Any:
    """Return the smallest and the largest value of each tensor; 0 and 1 of the one ``whole``.

    `Quantizer.calibrate` itself averages them over the images, which cuts off what is rare: on the
    spectrum, the largest frequencies.
    """
    recipe = quantizer_module("recipe_manager").RecipeManager()
    recipe.load_quantization_recipe(quantizer.get_quantization_recipe())
    library = quantizer_module("calibrator")
    # LiteRT's own profiler finds the same extremes seven times as fast as copies of all tensors;
    # releases of the older name lack it.
    modes = getattr(library, "CalibrationMode", None)
    fastest = getattr(modes, "CALIBRATION_PROFILER_BASED", None)
    calibrator = library.Calibrator(
        bytearray(content),
        num_threads=1,
        qsv_update_func=_widest,
        **({} if fastest is None else {"mode": fastest}),
    )
    calibrator.calibrate(feeds, recipe)
    ranges = calibrator.get_model_qsvs()
    if whole in ranges:  # an input of 8 bits is a picture's pixels, whatever calibration saw
        ranges[whole] |= {
            "min": np.zeros_like(ranges[whole]["min"]),
            "max": np.ones_like(ranges[whole]["max"]),
        }
    for taken, given, weight in _linear_maps(content):
        if taken in ranges and given in ranges:
            least = _NOTHING * min(weight, 1.0) * _largest(ranges[taken])
            if _largest(ranges[given]) < least:
                ranges[given] |= {
                    "min": np.full_like(ranges[given]["min"], -least),
                    "max": np.full_like(ranges[given]["max"], least),
                }
    return ranges


def _largest(known: dict[str, Any]) -> float:
    return float(max(np.abs(known["min"]).max(), np.abs(known["max"]).max()))


def _linear_maps(content: bytes) -> Iterator[tuple[str, str, float]]:
    """Yield the names of input and output, and the largest weight, of each fully connected layer.

    They come in their order; 1 stands for weights that are no constant.
    """
    from ai_edge_litert import schema_py_generated as schema

    buffers = schema.ModelT.InitFromPackedBuf(content).buffers
    for kind, graph, operator in operators(content):
        if kind == "FULLY_CONNECTED":
            taken, weight, given = (
                graph.tensors[index]
                for index in (operator.inputs[0], operator.inputs[1], operator.outputs[0])
            )
            stored = buffers[weight.buffer].data
            values = np.ones(1, np.float32) if stored is None else stored.view(np.float32)
            yield taken.name.decode(), given.name.decode(), float(np.abs(values).max())


def _widest(known: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    if not known or not new:
        return known or new
    return {
        **new,
        "min": np.minimum(known["min"], new["min"]),
        "max": np.maximum(known["max"], new["max"]),
    }


def _input_name(content: bytes) -> str:
    """Return the name of the tensor that is the graph's input."""
    from ai_edge_litert import schema_py_generated as schema

    (graph, *_) = schema.ModelT.InitFromPackedBuf(content).subgraphs
    return str(graph.tensors[graph.inputs[0]].name.decode())


def _signature(content: bytes) -> tuple[str, list[str]]:
    """Return the name of the only signature, and of its inputs in the network's order."""
    from ai_edge_litert.interpreter import Interpreter

    signatures = Interpreter(model_content=content).get_signature_list()
    if len(signatures) != 1:
        raise ConversionError(f"{QUANTIZER} calibrates files of one signature only.")
    ((name, tensors),) = signatures.items()
    return name, sorted(tensors["inputs"], key=_number)


def _number(name: str) -> int:
    """Return the place of an input that litert-torch calls ``args_10``."""
    number = name.rpartition("_")[2]
    return int(number) if number.isdigit() else 0


def _quantizer(content: bytes) -> Any:
    return quantizer_module("quantizer").Quantizer(bytearray(content))


def _quantized(quantizer: Any, calibration: Any = None) -> bytes:
    try:
        return _with_buffers_inside(bytes(quantizer.quantize(calibration).quantized_model))
    except Exception as error:  # it raises nearly every kind
        raise ConversionError(
            f"{QUANTIZER} cannot quantize the network: {reason_of(error)}."
        ) from error


def _with_short_names(content: bytes) -> bytes:
    """Number all tensors but the graph's inputs and outputs: their names take a tenth of a file."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    numbers = itertools.count()
    for graph in model.subgraphs:
        borders = {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            number = next(numbers)
            if index not in borders:
                tensor.name = f"t{number}".encode()
    return _packed(model)


def _with_buffers_inside(content: bytes) -> bytes:
    """Return a file with its constants in its tables, as all other writers have them.

    The quantizer puts them behind the tables, by their offset, which whoever writes the tables
    again would have to keep.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    for buffer in model.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    return _packed(model)


def _packed(model: Any) -> bytes:
    builder = aligned_builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
