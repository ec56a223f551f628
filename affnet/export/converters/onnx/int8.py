"""ONNX in 8 bits: static ranges, weights per channel, as operators between Q and DQ nodes."""

from __future__ import annotations

import ast
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from affnet.errors import ConversionError, OutputError, reason_of
from affnet.export.converters import ConversionRequest
from affnet.export.quantization.layers import part_of
from affnet.files import scratch_folder
from affnet.silence import silenced

if TYPE_CHECKING:
    import onnx

# What is quantised: the products, and what stands between them, so that activations stay in 8 bits.
_KINDS = {
    "Add": "add", "Concat": "cat", "Conv": "conv", "Gemm": "linear", "MatMul": "matmul",
    "Mul": "mul", "Sigmoid": "sigmoid",
}  # fmt: skip
_SCOPES = "pkg.torch.onnx.name_scopes"


def modules_of(model: onnx.ModelProto) -> dict[str, str]:
    """Return, by the name of an operator's output, the module that called it.

    torch's exporter writes it; onnxsim drops it, but keeps the names of outputs.
    """
    modules = {}
    for node in model.graph.node:
        scopes = {entry.key: entry.value for entry in node.metadata_props}.get(_SCOPES)
        if scopes is not None and node.output:
            *parents, _ = ast.literal_eval(scopes)
            modules[node.output[0]] = parents[-1] if parents else ""
    return modules


def in_int8(
    model: onnx.ModelProto, request: ConversionRequest, modules: Mapping[str, str]
) -> onnx.ModelProto:
    """Return ``model`` in 8 bits but for the parts that ``request`` keeps in float32.

    Before and after, of each convolution and product::

        x -> Conv(W)        x -> Q -> DQ -> Conv(Wq -> DQ) -> Q -> DQ

    Activations are of unsigned 8 bits, which ONNX Runtime multiplies several times faster than
    signed ones on x86 (`docs/accuracy.md`); their ranges are the smallest and largest value that
    calibration met.  Weights are signed, with a scale for each output channel, and of 7 bits:
    without instructions for 8-bit dot products, x86 adds two products of 8 bits in 16, where
    twice 255 times 127 does not fit, and ONNX Runtime's kernels saturate (its "reduce_range").
    Normalisations, clips and subtractions stay in float32.

    Raises:
        ConversionError: onnxruntime's quantizer fails on the network.
    """
    assert request.calibration is not None  # the pipeline sees to it
    parts = _parts(model, modules)
    excluded = [name for name, part in parts.items() if part in request.keep_float]
    _number_values(model.graph)
    try:
        return _quantised(model, request.input.name, request.calibration, excluded)
    except OSError as error:  # no other plan helps a full disk
        raise OutputError(
            f"Writing to {tempfile.gettempdir()} failed: {error.strerror or error}; free space "
            "there, or name another folder with TMPDIR."
        ) from error
    except Exception as error:  # it raises nearly every kind
        raise ConversionError(
            f"onnxruntime cannot quantise {request.name}: {reason_of(error)}."
        ) from error


def _parts(model: onnx.ModelProto, modules: Mapping[str, str]) -> dict[str, str]:
    """Return the part of each node, by its name."""
    parts = {}
    for index, node in enumerate(model.graph.node):
        module = modules.get(node.output[0], "")
        node.name = f"n{index}"
        parts[node.name] = part_of(module, _KINDS.get(node.op_type, node.op_type))
    return parts


def _number_values(graph: onnx.GraphProto) -> None:
    """Give short names to all values inside: each stands in several nodes of the result.

    Long ones take a tenth of the file.
    """
    borders = {value.name for value in (*graph.input, *graph.output)}
    short: dict[str, str] = {}

    def renamed(name: str) -> str:
        if not name or name in borders:
            return name
        return short.setdefault(name, f"v{len(short)}")

    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    for node in graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    del graph.value_info[:]


def _quantised(
    model: onnx.ModelProto, name: str, images: NDArray[np.float32], excluded: list[str]
) -> onnx.ModelProto:
    import onnx
    from onnxruntime import quantization

    with scratch_folder() as folder, silenced(), _quiet_root():
        path = Path(folder, "int8.onnx")
        quantization.quantize_static(
            model,
            path,
            _Reader(name, images),
            op_types_to_quantize=list(_KINDS),
            nodes_to_exclude=excluded,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            reduce_range=True,
        )
        result = onnx.load(path)
    _share_equal_constants(result.graph)
    return result


class _Reader:
    """What onnxruntime's calibration asks for one input after the other."""

    def __init__(self, name: str, images: NDArray[np.float32]) -> None:
        self._feeds: Iterator[dict[str, Any]] = ({name: image[None]} for image in images)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _share_equal_constants(graph: onnx.GraphProto) -> None:
    """Keep one of equal constants: zero points are all alike, as are the transforms' matrices."""
    kept: dict[tuple[Any, ...], str] = {}
    renamed: dict[str, str] = {}
    tensors = []
    for tensor in graph.initializer:
        key = (tensor.data_type, tuple(tensor.dims), _content(tensor))
        renamed[tensor.name] = kept.setdefault(key, tensor.name)
        if renamed[tensor.name] == tensor.name:
            tensors.append(tensor)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    del graph.initializer[:]
    graph.initializer.extend(tensors)


def _content(tensor: onnx.TensorProto) -> bytes:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor).tobytes()


@contextmanager
def _quiet_root() -> Iterator[None]:
    """Keep the root logger, which the quantizer warns with, quiet while this lasts."""
    level = logging.root.level
    logging.root.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logging.root.setLevel(level)
