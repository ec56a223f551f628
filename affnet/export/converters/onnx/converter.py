"""ONNX, for ONNX Runtime on every platform.

What it cannot hold: nothing of AFFNet.  The real-valued network needs opset 18; GELU and DFT nodes
(``--fft native``) need opset 20, whose one-sided inverse DFT releases of ONNX Runtime before 2026
reject.  In float16 the squares of a normalisation over channels would overflow, which
`replace_channel_norms` avoids.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from affnet.errors import ConversionError, reason_of
from affnet.export.converters import Conversion, ConversionRequest
from affnet.export.converters.half_parts import parts_in_float32
from affnet.export.converters.mixed_precision import choose_float32
from affnet.export.converters.onnx.axes import name_axes
from affnet.export.converters.onnx.borders import name_borders
from affnet.export.converters.onnx.capture import calls, capture, translations, unread_library
from affnet.export.converters.onnx.float16 import in_float16
from affnet.export.converters.onnx.float16_trial import OnnxHalfProgram, named
from affnet.export.converters.onnx.folding import fold_constants
from affnet.export.converters.onnx.gemm import split_gemms
from affnet.export.converters.onnx.int8 import in_int8
from affnet.export.converters.onnx.nms import append_suppression
from affnet.export.converters.onnx.norms import part_norms
from affnet.export.converters.onnx.parts import kept_nodes, modules_of, parts_of
from affnet.export.converters.onnx.pixels import pixels_alone, with_pixels
from affnet.export.converters.tracing import exported
from affnet.export.passes.chunked_filter import chunk_filters
from affnet.export.passes.folding import fold_batch_norms, merge_scale_and_shift
from affnet.export.passes.graph_pixels import PICTURE, GraphPixels
from affnet.export.passes.heads import Detector
from affnet.export.passes.normalization import replace_channel_norms
from affnet.export.passes.skip_in_mask import merge_skips
from affnet.files import write_and_sync
from affnet.silence import silenced

if TYPE_CHECKING:
    import onnx

_CHUNK_BYTES = 1 << 20  # of a filter's map; at 0.5 MB and below, dividing loses
_OPSET = 18  # the oldest that torch's exporter writes without converting versions afterwards
# The first whose DFT takes its axis as an input, which the exporter uses, and that has a GELU:
# ONNX Runtime does not fuse one that is written out.
_OPSET_WITH_DFT_AND_GELU = 20


class OnnxConverter:
    """Exports through ``torch.export``, simplifies with onnxsim and checks with onnx's checker."""

    format = "onnx"
    precisions = ("fp32", "fp16", "int8")
    computes_in_half = ("fp16",)
    keeps_float = ("fp16", "int8")
    layouts = ("NCHW",)
    routes = ("torch.export", "TorchScript")
    auto_fft = "auto"
    plans = ("separable", "right", "dense", "folded", "mixed_radix")
    operators = "onnx"
    packages = ("onnx", "onnxscript", "onnxsim")
    extra = None
    options = ("preprocess",)
    heads = ("softmax", "argmax", "nms")
    usual_heads = ()
    border_types: ClassVar[dict[str, str | None]] = {}
    scalar_inputs = True
    fixed_shapes = None
    tools = ("torch", "onnx", "onnxscript", "onnxsim")

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """See `Converter.convert`."""
        detector = network if isinstance(network, Detector) else None
        if detector is not None:  # the suppression comes last, in float32 whatever the precision
            network = detector.network
            outputs = detector.network.output_specs(*request.input.image_size())
            request = dataclasses.replace(request, outputs=outputs)
        if request.precision == "fp16":
            replace_channel_norms(network)
        fold_batch_norms(network)
        merge_scale_and_shift(network)
        chunk_filters(network, _CHUNK_BYTES)
        merge_skips(network)
        opset = _opset_for(network, request)
        details: dict[str, Any] = {"opset": opset}
        raw = _export(network, request, opset)
        model = _simplify(raw)
        if request.dynamic:
            name_axes(model, (*request.inputs, *request.outputs))
        if request.precision == "fp16":
            model, details["float16"] = _halved(model, request, modules_of(raw), folder)
            model = split_gemms(model)
        elif request.precision == "int8":
            model = in_int8(model, request, modules_of(raw))
            details |= {"target": request.target}
        else:
            part_norms(model)
        if detector is not None:
            append_suppression(model, request.output_names)
        taken = None
        if request.pixels is not None:
            model, taken = with_pixels(model, request.pixels), (request.pixels.spec(PICTURE),)
        _check(model, request.native_fft)
        path = folder / f"{request.name}.onnx"
        write_and_sync(path, model.SerializeToString())
        return Conversion(path, details, taken)

    @staticmethod
    def write_pixels(pixels: GraphPixels, folder: Path) -> Path:
        """See `Converter.write_pixels`."""
        path = folder / "pixels.onnx"
        path.write_bytes(pixels_alone(pixels).SerializeToString())
        return path


def _opset_for(network: nn.Module, request: ConversionRequest) -> int:
    """Return the oldest opset that holds what the network computes as one operator each."""
    if request.native_fft or calls(network, request.example(), torch.ops.aten.gelu):
        return _OPSET_WITH_DFT_AND_GELU
    return _OPSET


def _halved(
    model: onnx.ModelProto, request: ConversionRequest, modules: Mapping[str, str], folder: Path
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Return ``model`` in float16 but for what needs float32, and the manifest's words for that."""
    choice = choose_float32(OnnxHalfProgram(named(model)), request.samples)
    details, trial, parts = choice.details(), request.half_trial, parts_of(model, modules)
    kept = {*choice.kept, *kept_nodes(model, modules, request.keep_float)}
    if trial is None:
        return in_float16(model, kept), details
    candidate = folder / "candidate.onnx"

    def halved(float32: Collection[str]) -> onnx.ModelProto:
        return in_float16(model, {*kept, *(name for name in parts if parts[name] in float32)})

    def excess(float32: frozenset[str]) -> float:
        candidate.write_bytes(halved(float32).SerializeToString())
        return trial.excess(candidate)

    found = parts_in_float32(list(dict.fromkeys(parts.values())), excess)
    candidate.unlink()
    details |= {"tried_on": trial.place, "kept_parts": [one.described() for one in found]}
    return halved({one.part for one in found}), details


def exported_model(
    network: nn.Module, request: ConversionRequest, opset: int = _OPSET
) -> onnx.ModelProto:
    """Return the ONNX model of ``network`` by ``request.route``, simplified."""
    return _simplify(_export(network, request, opset))


def _export(network: nn.Module, request: ConversionRequest, opset: int) -> onnx.ModelProto:
    export = _by_torch_export if request.route == "torch.export" else _by_torchscript
    # the exporter tells the console of every optional package it does not find
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with silenced(), unread_library():  # the old exporter prints the graph where it fails
            return export(network, request, opset)
    except Exception as error:  # torch.onnx raises nearly every kind
        raise ConversionError(
            f"torch.onnx cannot export {request.name}: {reason_of(error)}."
        ) from error


def _by_torch_export(network: nn.Module, request: ConversionRequest, opset: int) -> onnx.ModelProto:
    example = request.example()

    def translated(subject: nn.Module | torch.export.ExportedProgram, **options: Any) -> Any:
        return torch.onnx.export(
            subject,
            example,
            dynamo=True,
            opset_version=opset,
            input_names=request.input_names,
            output_names=request.output_names,
            optimize=False,  # it drops constants that are nearly 0 or 1
            verbose=False,
            **options,
        )

    program = None
    if request.dynamic:
        program = translated(exported(network, request))
    else:
        with contextlib.suppress(Exception):  # the long way succeeds, or says why it does not
            program = translated(capture(network, example), custom_translation_table=translations())
    program = program or translated(network)
    fold_constants(program.model)
    model: onnx.ModelProto = program.model_proto
    name_borders(model, request.input_names, request.output_names)
    return model


def _by_torchscript(network: nn.Module, request: ConversionRequest, opset: int) -> onnx.ModelProto:
    import onnx

    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        request.example(),
        buffer,  # type: ignore[arg-type]  # the old exporter also writes to open files
        dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE,  # programs refuse to have theirs set
        opset_version=opset,
        input_names=request.input_names,
        output_names=request.output_names,
        dynamic_axes={
            spec.name: {i: axis for i, axis in enumerate(spec.shape) if isinstance(axis, str)}
            for spec in (*request.inputs, *request.outputs)
        }
        if request.dynamic
        else None,
    )
    return onnx.load_model_from_string(buffer.getvalue())


def _simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return ``model`` simplified; as it is where onnxsim writes ONNX Runtime's own operators."""
    import onnxsim

    simplified: Any
    try:
        simplified, unchanged = onnxsim.simplify(model)
    except Exception as error:  # its exceptions share no base class
        raise ConversionError(
            f"onnxsim cannot simplify the network: {reason_of(error)}."
        ) from error
    if not unchanged:
        raise ConversionError("onnxsim changed what the network computes; report this network.")
    result: onnx.ModelProto = model if _foreign(simplified) and not _foreign(model) else simplified
    _name_what_is_omitted(result)
    return result


def _name_what_is_omitted(model: onnx.ModelProto) -> None:
    """Name omitted outputs, a recurrent layer's, and forget what is said of the empty name.

    onnxsim notes the type of an omitted output, which ONNX's checker then takes for the type of
    every omitted input; MNN takes the next output for an omitted one.
    """
    for node in model.graph.node:
        for i, name in enumerate(node.output):
            node.output[i] = name or f"{node.name or node.output[-1]}.unused.{i}"
    known = [value for value in model.graph.value_info if value.name]
    del model.graph.value_info[:]
    model.graph.value_info.extend(known)


def _foreign(model: onnx.ModelProto) -> list[str]:
    """Return the nodes outside ONNX's default domain, and functions."""
    foreign = sorted({f"{n.domain}::{n.op_type}" for n in model.graph.node if n.domain})
    return [*foreign, *(function.name for function in model.functions)]


def _check(model: onnx.ModelProto, native_fft: bool) -> None:
    """Raise unless the model is valid, of the default domain only, and without FFTs if so asked."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ConversionError(f"onnx's checker rejects the result: {error}") from error
    if foreign := _foreign(model):
        raise ConversionError(f"Nodes outside the default domain remain: {', '.join(foreign)}.")
    if not native_fft and any(node.op_type in ("DFT", "STFT") for node in model.graph.node):
        raise ConversionError("DFT nodes remain in a network whose FFTs were to be replaced.")
