"""ONNX in 8 bits: static ranges, weights per channel, as operators between Q and DQ nodes."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from affnet.artifact import Arrays
from affnet.errors import ConversionError, OutputError, reason_of
from affnet.export.converters import ConversionRequest
from affnet.export.converters.onnx.parts import KINDS, kept_nodes
from affnet.export.converters.onnx.shared_values import join_values, part_values
from affnet.export.quantization import ARM
from affnet.export.quantization.layers import KeptModules, check_some_quantized
from affnet.files import scratch_folder
from affnet.silence import silenced

if TYPE_CHECKING:
    import onnx


def in_int8(
    model: onnx.ModelProto, request: ConversionRequest, modules: Mapping[str, str]
) -> onnx.ModelProto:
    """Return ``model`` in 8 bits but for the parts that ``request`` keeps in float32.

    Before and after, of each convolution and product::

        x -> Conv(W)        x -> Q -> DQ -> Conv(Wq -> DQ) -> Q -> DQ

    Activations are of unsigned 8 bits, which ONNX Runtime multiplies several times faster than
    signed ones on x86 (`docs/accuracy.md`); their ranges are the smallest and largest value that
    calibration met.  Weights are signed, with a scale for each output channel.  They have 7 bits
    unless the target is Arm: without instructions for 8-bit dot products, x86 adds two products of
    8 bits in 16, where twice 255 times 127 does not fit, and ONNX Runtime's kernels saturate (its
    "reduce_range").  No kernel for Arm does.
    Normalisations, clips and subtractions stay in float32.

    Raises:
        ConversionError: onnxruntime's quantizer fails on the network.
    """
    assert request.calibration is not None  # the pipeline sees to it
    _number_nodes(model.graph)
    excluded = kept_nodes(model, modules, request.keep_float)
    if isinstance(request.keep_float, KeptModules):
        part_values(model.graph, frozenset(excluded))
    _number_values(model.graph)
    try:
        return _quantised(model, request, excluded)
    except OSError as error:  # no other plan helps a full disk
        raise OutputError(
            f"Writing to {tempfile.gettempdir()} failed: {error.strerror or error}; free space "
            "there, or name another folder with TMPDIR."
        ) from error
    except ConversionError:
        raise
    except Exception as error:  # it raises nearly every kind
        raise ConversionError(
            f"onnxruntime cannot quantise {request.name}: {reason_of(error)}."
        ) from error


def _number_nodes(graph: onnx.GraphProto) -> None:
    for index, node in enumerate(graph.node):
        node.name = f"n{index}"


def _letters(number: int) -> str:
    """Return a number in letters: a, b, .., z, ba, bb."""
    before, last = divmod(number, len(ascii_lowercase))
    return (_letters(before) if before else "") + ascii_lowercase[last]


def _number_values(graph: onnx.GraphProto) -> None:
    """Give short names to all values inside: each stands in several nodes of the result.

    Long ones take a tenth of the file.  They have no digits: onnxruntime names the copy of a bias
    that two layers share by one behind its name, which must not be that of another value.
    """
    borders = {value.name for value in (*graph.input, *graph.output)}
    short: dict[str, str] = {}

    def renamed(name: str) -> str:
        if not name or name in borders:
            return name
        return short.setdefault(name, f"v{_letters(len(short))}")

    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    for node in graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    del graph.value_info[:]


def _quantised(
    model: onnx.ModelProto, request: ConversionRequest, excluded: list[str]
) -> onnx.ModelProto:
    import onnx
    from onnxruntime import quantization

    assert request.calibration is not None  # the pipeline sees to it
    with scratch_folder() as folder, silenced(), _quiet_root():
        path = Path(folder, "int8.onnx")
        quantization.quantize_static(
            model,
            path,
            _Reader([taken.name for taken in request.inputs], request.calibration),
            op_types_to_quantize=list(KINDS),
            nodes_to_exclude=excluded,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            reduce_range=request.target != ARM,
        )
        result = onnx.load(path)
    check_some_quantized(
        request.name, any(node.op_type == "QuantizeLinear" for node in result.graph.node)
    )
    _share_equal_constants(result.graph)
    join_values(result.graph)
    return result


class _Reader:
    """What onnxruntime's calibration asks for one input after the other."""

    def __init__(self, names: Sequence[str], samples: Sequence[Arrays]) -> None:
        self._feeds: Iterator[dict[str, Any]] = (
            dict(zip(names, sample, strict=True)) for sample in samples
        )

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
