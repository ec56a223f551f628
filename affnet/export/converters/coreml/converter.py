"""Core ML, as an ML program: phones and Macs, float16 for the Neural Engine.

What it cannot hold: FFT operators, complex tensors, tensors of more than five axes.  A batch is
of fixed size here, as Core ML runs models with flexible shapes off the Neural Engine.

**--fft native** leaves the transforms to coremltools, which writes them as products with constants
on real and imaginary parts, one axis after the other.  It multiplies no complex tensors, nor does
the mixer.

**Normalisation.** coremltools has no group normalisation: it writes mean, square, root and
division one by one, and AFFNet's other form likewise.  In float16 the squares overflow once an
activation is 256 from its mean, and one overflow zeroes a pixel or a whole map.  Statistics in
float32 would cure it, but float32 does not run on the Neural Engine, and each of some twenty
normalisations would leave it and come back.  So `replace_norms` writes them with ``layer_norm``
and ``reduce_l2_norm``, exactly the same functions, in which no square is a value of the program.

**Labels** stand as a JSON list under ``labels`` in the model's user-defined metadata, in the order
of the logits.  With ``--head classifier`` they are also in the program, which then takes a picture
and gives the probability of each by name, as Vision and Xcode's preview want it.  With ``--head
detector`` the file is a pipeline of an ML program and Core ML's suppression, which has them.
"""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from affnet import __version__
from affnet.artifact import CONFIDENCE, COORDINATES, Arrays, TensorSpec
from affnet.errors import ConversionError, UnknownNameError, UsageError, reason_of
from affnet.export.converters import Conversion, ConversionRequest
from affnet.export.converters.coreml.compression import COMPRESSED, compressed
from affnet.export.converters.coreml.float16 import HalfSelector
from affnet.export.converters.coreml.nms import suppressed
from affnet.export.converters.coreml.outputs import compute_outputs
from affnet.export.converters.coreml.pipeline import Rows, program_request, with_suppression
from affnet.export.converters.coreml.upkeep import little_upkeep
from affnet.export.converters.coreml.whole_numbers import whole_quotients
from affnet.export.converters.tracing import decomposed, dynamic_shapes
from affnet.export.passes.heads import ByName, Detector, VisionBoxes
from affnet.export.passes.normalization import replace_norms
from affnet.runtimes.coreml import quiet_coremltools
from affnet.runtimes.mlprogram import DetectionPipeline, Program, load_program
from affnet.silence import silenced
from affnet.units import image_size

_DEBUG_FILE = "executorch_debug_handle_mapping.json"
_DEFAULT_TARGET = "iOS16"
_FIRST_SPECIFICATION = 6  # the first that holds ML programs, of iOS 15
_MAXIMUM_RANK = 5
_OUTPUT_DESCRIPTIONS = {
    "logits": "One logit per class, before any softmax",
    "probabilities": "One probability per class",
    "classes": "The class of each pixel",
    "scores": "Scores of each class, before any softmax",
    "boxes": "Left, top, right and bottom of each anchor's box, as fractions of the image",
    CONFIDENCE: "The confidence of each class, of each object, the best first",
    COORDINATES: "Center x and y, width and height of each object, as fractions of the image",
}
_CLASSIFIED = {  # coremltools' names for the outputs of a classifier
    "classLabel": "The class of the highest probability",
    "classLabel_probs": "The probability of each class",
}
_DETECTIONS = {  # of a file with the suppression inside
    "boxes": "Left, top, right and bottom of each object's box, as fractions of the image",
    "scores": "The probability of each object, the best first; 0 where there are no more",
    "classes": "The class of each object, a place in the labels",
}


class CoreMLConverter:
    """Exports through ``torch.export`` and converts with coremltools."""

    format = "coreml"
    precisions = ("fp16", "fp32", *COMPRESSED)
    computes_in_half = ("fp16", *COMPRESSED)
    keeps_float = COMPRESSED
    layouts = ("NCHW",)
    routes = ("torch.export", "TorchScript")
    auto_fft = "auto"
    plans = ("separable", "dense")
    operators = "coreml"
    packages = ("coremltools",)
    extra = "coreml"
    options = ("image_input", "deployment_target")
    heads = ("softmax", "classifier", "argmax", "nms", "detector")
    usual_heads = ()
    border_types: ClassVar = {  # its arrays are of float32, float16 and int32
        **dict.fromkeys(("bool", "int8", "int16", "int64", "uint8"), "int32"),
        **{"float16": "float32", "float64": None},
    }
    scalar_inputs = False
    fixed_shapes = None
    tools = ("coremltools", "torch")

    def convert(self, network: nn.Module, request: ConversionRequest, folder: Path) -> Conversion:
        """See `Converter.convert`."""
        if request.input.is_image and request.dynamic:
            raise UsageError(
                "Core ML models have a static shape here, because flexible ones do not run on the "
                "Neural Engine; drop --dynamic."
            )
        with quiet_coremltools() as coremltools:
            target = _deployment_target(coremltools, request.deployment_target or _DEFAULT_TARGET)
            replace_norms(network)
            if isinstance(network, Detector):
                network = suppressed(network)
            whole, given = request, None
            if isinstance(network, VisionBoxes):
                given = network.kept(request.outputs)
                network, request = Rows(network).eval(), program_request(request)
            program = _export(network, request)
            path = folder / f"{request.name}.mlpackage"
            samples = [_as_taken(sample, request) for sample in request.samples]
            selector = HalfSelector(samples)
            labels = _classes(network, request)
            model = _convert(coremltools, program, request, target, folder, selector, labels)
            if request.precision in COMPRESSED:
                model = compressed(model, program, request)
            if given is not None:
                model = with_suppression(coremltools, model, whole, folder)
            _describe(model, whole)
            model.save(str(path))
            # which operator was which of ExecuTorch's: in no manifest, nor read by any loader
            (path / _DEBUG_FILE).unlink(missing_ok=True)
        saved = load_program(path)
        _check_ranks(saved)
        details = {
            "deployment_target": saved.deployment_target,
            "specification_version": saved.specification_version,
        }
        if found := selector.details():
            details["float16"] = found
        if not request.image_input:
            return Conversion(path, details, outputs=given)
        shape = (1, *request.input.image_size(), 3)
        image = TensorSpec(request.input.name, shape, "uint8", "NHWC", (0.0, 255.0))
        return Conversion(path, details, (image,), given)


def _classes(network: nn.Module, request: ConversionRequest) -> list[str] | list[int] | None:
    """Return the classes of a classifier by name, their numbers where they have no names."""
    if not isinstance(network, ByName):
        return None
    (probabilities,) = request.outputs
    return [*request.labels] if request.labels else [*range(int(probabilities.shape[1]))]


def _deployment_target(coremltools: Any, name: str) -> Any:
    """Return coremltools' constant for a system's name, such as ``iOS16`` or ``macOS13``."""
    targets = {
        known: target
        for known, target in coremltools.target.__members__.items()
        if target >= _FIRST_SPECIFICATION
    }
    if name not in targets:
        raise UnknownNameError("deployment target", name, targets)
    return targets[name]


def _export(network: nn.Module, request: ConversionRequest) -> Any:
    """Return what coremltools takes: an exported program, or a traced module."""
    logging.getLogger("torch.export").setLevel(logging.ERROR)
    example = request.example()
    try:
        with silenced():
            if request.route == "TorchScript":
                return torch.jit.trace(network, example)  # type: ignore[no-untyped-call]
            program = decomposed(network, example, {}, dynamic_shapes(network, request))
    except Exception as error:  # torch raises nearly every kind
        reason = reason_of(error)
        raise ConversionError(f"{request.route} fails on {request.name}: {reason}.") from error
    aten = torch.ops.aten
    for node in program.graph.find_nodes(op="call_function", target=aten.alias.default):
        node.target = aten.clone.default  # of x[:]; coremltools knows only this one
    compute_outputs(program)
    return program


def _as_taken(sample: Arrays, request: ConversionRequest) -> Arrays:
    """Return inputs as the program takes them: an image of 8 bits has values of 0..255."""
    return tuple(array * np.float32(255) for array in sample) if request.image_input else sample


def _convert(
    coremltools: Any,
    program: Any,
    request: ConversionRequest,
    target: Any,
    folder: Path,
    selector: HalfSelector,
    classes: list[str] | list[int] | None,
) -> Any:
    """Convert an exported program; one with ``classes`` becomes a classifier of these."""
    if request.image_input:
        image = coremltools.ImageType(
            request.input.name,
            request.input.static_shape(),
            scale=1 / 255,
            color_layout=coremltools.colorlayout.RGB,
        )
    inputs = [
        image
        if request.image_input
        else coremltools.TensorType(
            taken.name, _shape(coremltools, taken, request), dtype=np.dtype(taken.dtype)
        )
        for taken in request.inputs
    ]
    outputs = [  # of any target
        coremltools.TensorType(output.name, dtype=np.dtype(output.dtype).type)
        for output in request.outputs
    ]
    precision = (
        coremltools.precision.FLOAT32
        if request.precision == "fp32"
        else coremltools.transform.FP16ComputePrecision(op_selector=selector)
    )
    try:
        with little_upkeep(), whole_quotients():
            return coremltools.convert(
                program,
                convert_to="mlprogram",
                inputs=inputs,
                outputs=None if classes else outputs,
                classifier_config=coremltools.ClassifierConfig(classes) if classes else None,
                compute_precision=precision,
                minimum_deployment_target=target,
                skip_model_load=True,
                package_dir=str(folder / "converted.mlpackage"),  # else in a folder left to the end
            )
    except OSError:
        raise
    except Exception as error:  # coremltools raises every kind, assertions included
        raise ConversionError(
            f"coremltools cannot convert {request.name}: {reason_of(error)}{_place_of(error)}."
        ) from error


def _place_of(error: Exception) -> str:
    """Return the operator that coremltools was converting, which its own words often leave out."""
    kind = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "convert_nodes":
            kind = getattr(frame.f_locals.get("node"), "kind", kind)
    return f" (in aten.{kind})" if kind else ""


def _shape(coremltools: Any, taken: TensorSpec, request: ConversionRequest) -> tuple[Any, ...]:
    """Return the shape of an input, with the range of each axis that is open."""
    ranges = {
        axis.name: coremltools.RangeDim(axis.low, axis.high, default=axis.example)
        for axis in request.dynamic
    }
    return tuple(ranges[axis] if isinstance(axis, str) else axis for axis in taken.shape)


def _describe(model: Any, request: ConversionRequest) -> None:
    """Fill in what Xcode shows of a model."""
    model.author = f"affnet {__version__}"
    model.version = __version__
    if not request.input.is_image:
        model.short_description = request.name
        return
    size = image_size(*request.input.image_size())
    model.short_description = f"{request.name}: image {request.task} at {size}."
    model.license = "Network: MIT. Weights: as the checkpoint they come from."
    values = "8 bits per channel" if request.image_input else "values in 0..1"
    model.input_description[request.input.name] = f"RGB image of {size}, {values}"
    names = request.output_names
    descriptions = (
        _DETECTIONS if request.task == "detection" and "classes" in names else _OUTPUT_DESCRIPTIONS
    )
    if model.get_spec().description.predictedFeatureName:
        names, descriptions = [*_CLASSIFIED], _CLASSIFIED
    for output in names:
        model.output_description[output] = descriptions[output]
    if request.labels:
        labels = json.dumps(request.labels, ensure_ascii=False)
        model.user_defined_metadata["labels"] = labels


def _check_ranks(program: Program | DetectionPipeline) -> None:
    """Raise unless Core ML can hold every tensor of the saved program."""
    for node in program.function.walk():
        for output in node.outputs:
            shape = output.type.shape if output.type else None
            if shape is not None and len(shape) > _MAXIMUM_RANK:
                raise ConversionError(
                    f"The operator {node.operator} makes a tensor of {len(shape)} axes; "
                    f"Core ML holds {_MAXIMUM_RANK} at most."
                )
