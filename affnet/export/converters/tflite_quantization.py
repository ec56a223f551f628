"""TFLite files of other precisions, made from the float32 file by Google's AI Edge Quantizer."""

from __future__ import annotations

from typing import Any

import numpy as np

from affnet.errors import ConversionError, first_line
from affnet.export.converters.tflite_metadata import aligned_builder
from affnet.silence import silenced

_EVERYTHING = ".*"


def with_float16_weights(content: bytes) -> bytes:
    """Return a TFLite file whose weights are stored in float16.

    Each weight is followed by an operator that widens it.  Runtimes do that once, when they load
    the file, and compute in float32; those with float16 arithmetic, such as GPU delegates, take
    the weights as they are.

    Raises:
        ConversionError: the quantizer fails on the file.
    """
    with silenced():  # it prints the sizes
        from ai_edge_quantizer import algorithm_manager, qtyping

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
            algorithm_manager.AlgorithmName.FLOAT_CASTING,
        )
        return _quantized(quantizer)


def _quantizer(content: bytes) -> Any:
    from ai_edge_quantizer.quantizer import Quantizer

    return Quantizer(bytearray(content))


def _quantized(quantizer: Any, calibration: Any = None) -> bytes:
    try:
        return _with_buffers_inside(bytes(quantizer.quantize(calibration).quantized_model))
    except Exception as error:  # it raises nearly every kind
        raise ConversionError(
            f"ai-edge-quantizer cannot quantise the network: {first_line(error)}."
        ) from error


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
    builder = aligned_builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
