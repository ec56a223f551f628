"""ONNX in float16: weights and activations, with float32 at the borders."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from affnet.errors import ConversionError, reason_of

if TYPE_CHECKING:
    import onnx


def in_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return ``model`` in float16 but for its input and output, which stay float32.

    Before, every tensor in float32::

        image -> Conv -> ... -> Gemm -> logits

    After, every tensor between both casts, and every weight, in float16::

        image -> Cast -> Conv -> ... -> Gemm -> Cast -> logits

    The Fourier parts need no exception: a DFT is orthonormal, so that a spectrum is no larger than
    its map times the root of its pixels.  Where a CPU has no float16 arithmetic, ONNX Runtime
    computes in float32 between casts of its own.

    Raises:
        ConversionError: onnxruntime's converter fails on the network.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    try:
        with warnings.catch_warnings():  # it tells of every weight below float16's smallest number
            warnings.simplefilter("ignore")
            half: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
            OnnxModel.graph_topological_sort(half.graph)  # the casts stand at the end
    except Exception as error:  # it raises nearly every kind
        raise ConversionError(
            f"onnxruntime cannot convert the network to float16: {reason_of(error)}."
        ) from error
    return half
