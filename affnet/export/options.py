"""What an export is asked for, and what is refused before anything is written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from difflib import get_close_matches

from affnet.devices.base import Device
from affnet.devices.inference import check_runs
from affnet.errors import UnknownNameError, UsageError
from affnet.export.borders import check_held
from affnet.export.converters import check_installed, get_converter
from affnet.export.fourier.costs import PlanCosts
from affnet.export.fourier.planner import FFT_CHOICES
from affnet.export.passes.graph_pixels import LARGEST_SIDE
from affnet.export.passes.heads import BY_NAME, HEADS, NO_HEAD, OF_BATCHES, TASK_OF, with_head
from affnet.export.quantization import ANY, CALIBRATED, LOSSY, TARGETS
from affnet.export.quantization.calibration import Calibration
from affnet.export.quantization.layers import KeptModules
from affnet.export.quantization.own_layers import quantized_modules
from affnet.export.quantization.sensitivity import KeptFloat
from affnet.export.verification.inputs import VerificationInput
from affnet.export.verification.samples import Samples
from affnet.model.source import Source

#: Where pictures are resized, cut and scaled: as the manifest says, or by the file itself.
SPEC, GRAPH = "spec", "graph"
#: What a file takes and gives, and what an int8 file may instead.
FLOATS, BORDERS = "float32", ("float32", "uint8", "int8")
_PICTURE_LAYOUTS = ("NHWC", "NCHW")


#: Formats whose operators `affnet.export.bisection.repair` writes in other forms.
REPAIRED = ("onnx",)


@dataclass(frozen=True)
class ExportOptions:
    """What the user chose; None leaves the choice to the source or the format."""

    format: str
    image_size: tuple[int, int] | None = None  # height, width
    precision: str | None = None
    fft: str = "auto"
    dynamic_batch: bool = False  # of images; other axes are of the source
    #: Of `affnet.export.passes.heads.HEADS`: what follows the network in the file; None for what is
    #: customary in the format.
    head: str | None = None
    layout: str | None = None
    preprocess: str = SPEC
    input_size: tuple[int, int] | None = None  # of the pictures that a file resizes itself
    io_type: str = FLOATS  # of an int8 file's input and outputs
    image_input: bool = False
    deployment_target: str | None = None
    verify: bool = True
    verify_on: tuple[VerificationInput, ...] = ()  # beside what every file is verified on
    prove_on: tuple[Device, ...] = ()  # where the file is run too before it appears
    repair_on: frozenset[str] = frozenset()  # names of those that it is made right on
    #: Images, of networks of the user's own samples, where ``precision`` needs them.
    calibration: Calibration | Samples | None = None
    kept_float: tuple[KeptFloat, ...] = ()  # parts that ``precision`` leaves out
    keep_float: tuple[str, ...] = ()  # modules that it is to leave out
    max_accuracy_drop: float | None = None  # in points of top-1 on the images of ``calibration``
    target: str = ANY  # of `affnet.export.quantization.TARGETS`
    costs: PlanCosts | None = None  # what ``fft`` measure chooses by, of `measure_plans`


def check_options(source: Source, options: ExportOptions) -> None:
    """Refuse what cannot work before anything is written; see `export_artifact`."""
    converter = get_converter(options.format)
    check_installed(converter)
    if source.input.is_image:
        source.size_rule.check(source.name, *(options.image_size or source.input.image_size()))
    if source.program is not None:
        _check_program_options(source, options)
    if options.precision not in (None, *converter.precisions):
        raise UnknownNameError(
            f"precision for {options.format}", options.precision, converter.precisions
        )
    if options.precision in CALIBRATED and options.calibration is None:
        raise UsageError(
            f"The precision {options.precision} needs images or samples to calibrate with: "
            "--calibration-data."
        )
    _check_kept_modules(source, options)
    _check_processors(options)
    with_head(source, options.head)  # refuses a head that the network has no outputs for
    if options.head in HEADS and options.head not in (NO_HEAD, *converter.heads):
        raise UsageError(
            f"{options.format} files hold no --head {options.head} here; export without it, and "
            "decode the outputs by affnet.detections.decode_detections."
        )
    if options.head not in (None, *OF_BATCHES) and options.dynamic_batch:
        raise UsageError("--head takes one image at a time; drop --dynamic.")
    layouts = converter.layouts if options.preprocess == SPEC else _PICTURE_LAYOUTS
    if options.layout is not None and options.layout not in layouts:
        raise UnknownNameError(f"layout for {options.format}", options.layout, layouts)
    _check_preprocessing(source, options)
    for option in ("image_input", "deployment_target"):
        if getattr(options, option) and option not in converter.options:
            raise UsageError(
                f"--{option.replace('_', '-')} does not apply to the format {options.format}."
            )
    if options.io_type not in BORDERS:
        raise UnknownNameError("type of input and output", options.io_type, BORDERS)
    if options.io_type != FLOATS and (
        "io_type" not in converter.options or options.precision not in CALIBRATED
    ):
        raise UsageError(
            f"--io-type {options.io_type} is of files that compute in 8 bits; add --format tflite "
            "--precision int8, or let a file of floats take 8-bit pictures by --preprocess graph."
        )
    if options.fft not in FFT_CHOICES:
        raise UnknownNameError("FFT plan", options.fft, FFT_CHOICES)
    if options.fft == "measure" and options.costs is None:
        raise UsageError(
            "--fft measure needs measured costs, which affnet export takes; give its file "
            "to other commands."
        )


def _check_kept_modules(source: Source, options: ExportOptions) -> None:
    """Refuse modules to keep in float32 that there are none of, or where nothing else is."""
    if not options.keep_float:
        return
    kept = get_converter(options.format).keeps_float
    if options.precision not in kept:
        raise UsageError(
            f"--keep-float keeps modules of {options.format} files in float32 in the precisions "
            f"{', '.join(kept)}; add --precision {kept[0]}."
            if kept
            else f"--keep-float does not apply to the format {options.format}."
        )
    known = source.module_names()
    for module in options.keep_float:
        if module not in known:
            like = get_close_matches(module, known) or [name for name in known if "." not in name]
            raise UsageError(
                f"{source.name} has no module {module!r}",
                f"name one as its state dict does, such as {', '.join(like)}.",
            )


def _check_processors(options: ExportOptions) -> None:
    """Refuse a target that is none, and devices that do not run the format."""
    if options.target not in TARGETS:
        raise UnknownNameError("target", options.target, TARGETS)
    for device in options.prove_on:
        check_runs(device, options.format)
    if options.repair_on and options.format not in REPAIRED:
        raise UsageError(
            f"Files of the format {options.format} cannot be repaired",
            f"export to another format: {', '.join(REPAIRED)}.",
        )


def _check_preprocessing(source: Source, options: ExportOptions) -> None:
    """Refuse preprocessing in the file where the file or the network cannot have it."""
    if options.preprocess not in (SPEC, GRAPH):
        raise UnknownNameError("preprocessing", options.preprocess, (SPEC, GRAPH))
    if options.preprocess == SPEC:
        return
    converter = get_converter(options.format)
    if "preprocess" not in converter.options:
        raise UsageError(
            f"{options.format} files have no preprocessing inside here; choose onnx or tflite, or "
            "feed pictures as the manifest says."
        )
    if options.input_size is None:
        raise UsageError("--preprocess graph needs the size of the pictures: --input-size HxW.")
    if not all(1 <= side <= LARGEST_SIDE for side in options.input_size):
        raise UsageError(f"--input-size has sides of 1 to {LARGEST_SIDE} pixels.")
    if source.preprocessing_for(source.input) is None:
        raise UsageError(f"{source.name} takes no pictures; drop --preprocess graph.")
    if options.calibration is not None or options.dynamic_batch:
        raise UsageError(
            "--preprocess graph is for one picture at a time, and for precisions that need no "
            "images; drop --dynamic, and --precision int8 or auto."
        )


def settled(source: Source, options: ExportOptions) -> ExportOptions:
    """Return options that say what the format's readers expect where the user did not."""
    usual = get_converter(options.format).usual_heads
    head = options.head or next((one for one in usual if TASK_OF[one] == source.task), NO_HEAD)
    pictures = options.image_input or head in BY_NAME  # which Vision hands over as they are
    return dataclasses.replace(options, head=head, image_input=pictures)


def _check_some_layers(name: str, layers: frozenset[str], options: ExportOptions) -> None:
    if not layers:
        raise UsageError(
            f"{name} has no convolution or linear layer of float32, in a module that does not "
            "transform itself, that fewer bits would make smaller",
            "export it in fp32 or fp16.",
        )
    kept = KeptModules(options.keep_float)
    if all(kept.keeps((layer,), "") for layer in layers):
        raise UsageError(
            f"--keep-float leaves nothing of {name} in {options.precision}",
            f"keep fewer of {', '.join(sorted(layers)[:8])}.",
        )


def _check_program_options(source: Source, options: ExportOptions) -> None:
    """Refuse what only networks of this package have a meaning for, and types no file holds."""
    converter = get_converter(options.format)
    check_held(source.name, source.inputs, converter)
    if source.dynamic and converter.fixed_shapes is not None:
        raise UsageError(
            f"{options.format} files have fixed shapes here: {converter.fixed_shapes}",
            "drop --dynamic, or choose --format onnx.",
        )
    if options.dynamic_batch:
        raise UsageError(
            f"dynamic_batch does not apply to {source.name}, whose program says what it takes",
            'open its axes where it is loaded: load_source(.., dynamic="batch").',
        )
    for option in ("image_size", "layout", "image_input", "io_type"):
        if getattr(options, option) not in (None, False, "float32"):
            raise UsageError(
                f"--{option.replace('_', '-')} does not apply to {source.name}, whose program says "
                "what it takes."
            )
    assert source.program is not None  # it is one of the user's own
    if options.precision in LOSSY:
        _check_some_layers(source.name, quantized_modules(source.program), options)
    if options.fft not in ("auto", "native"):
        raise UsageError(
            f"--fft {options.fft} is a plan for AFFNet's filters; the program {source.name} "
            "takes auto or native."
        )
