"""``affnet export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.export_cluster import exporter, show_outcomes
from affnet.commands.options import (
    PRECISIONS,
    ClusterOption,
    ComplexOption,
    ConfigOption,
    DynamicOption,
    Head,
    InsecureOption,
    IoType,
    JsonOption,
    LabelsOption,
    Layout,
    Preprocess,
    QuietOption,
    SizeOption,
    Target,
    VerifyOnOption,
    WeightsOption,
    completing,
    is_on_command_line,
    parse_size,
)
from affnet.errors import UsageError
from affnet.export.converters import CONVERTERS
from affnet.export.request import DEFAULT_SAMPLES, ExportRequest, check_combination

if TYPE_CHECKING:
    from affnet.commands.export_cluster import ExportAll

FORMAT_HELP = f"{', '.join(CONVERTERS)}, several of them (onnx,coreml), or all that are installed."
SOURCE_HELP = (
    "A checkpoint, a name (affnet_et, affnet_t, affnet, emoji, or a peer such as mobilevit_xxs), "
    "one with another token mixer (affnet_et+twins), timm:NAME or torchvision:NAME, "
    "or a network of your own: a torch.export program (.pt2), or module:function, whose files are "
    "named MODULE_FUNCTION without the word build (a.nets:build: nets; a.nets:build_b: nets_b). "
    "Default: the project's model, else the one checkpoint in this folder, else emoji."
)

PRECISION_HELP = (
    "fp32, fp16, int8 or another that the format has, several of them (fp32,int8), or auto: the "
    "fastest that keeps the accuracy; default: the format's."
)

CalibrationDataOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|bundled",
        help="Calibration images, one folder per class, which also show what quantization costs; "
        "for a network of your own arrays or pictures, as --verify-on takes them.",
        rich_help_panel="Precision",
    ),
]
CalibrationSamplesOption = Annotated[
    int, typer.Option(metavar="N", help="How many of them at most.", rich_help_panel="Precision")
]
MaxAccuracyDropOption = Annotated[
    float | None,
    typer.Option(
        metavar="POINTS",
        help="Largest top-1 drop on the calibration images; default: 1 for trained networks.",
        rich_help_panel="Precision",
    ),
]
ProveOnOption = Annotated[
    str | None,
    typer.Option(
        "--prove-on",
        metavar="DEVICES",
        help="Run the file there too: arm64, arm64:cortex-a53 (emulated), a board; by commas.",
        rich_help_panel="Verification",
    ),
]
TargetOption = Annotated[
    Target,
    typer.Option(
        help="Processors that int8 weights are for (onnx): 8 bits for arm; 7 for x86 and any, as "
        "x86 without VNNI computes 8 wrongly.",
        rich_help_panel="Precision",
    ),
]
KeepFloatOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODULE",
        help="A module that stays in float32, whatever --precision says; several: once each.",
        rich_help_panel="Precision",
    ),
]
FftOption = Annotated[
    str,
    typer.Option(
        "--fft",
        help="auto (predict the fastest plan), measure (time them), native (keep FFT "
        "operators), or a plan that affnet plan shows.",
        rich_help_panel="File",
    ),
]


def export(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help=SOURCE_HELP)] = "",
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            autocompletion=completing(*CONVERTERS, "all"),
            help=FORMAT_HELP,
            rich_help_panel="File",
        ),
    ] = "onnx",
    variant: Annotated[
        str | None, typer.Option(help="The variant it must be.", rich_help_panel="Model")
    ] = None,
    config: ConfigOption = None,
    weights: WeightsOption = None,
    activation: Annotated[
        str | None, typer.Option(help="Overrides the config.", rich_help_panel="Model")
    ] = None,
    attn_norm: Annotated[
        str | None, typer.Option(help="Overrides the config.", rich_help_panel="Model")
    ] = None,
    ema: Annotated[
        bool, typer.Option("--ema", help="Take the EMA weights.", rich_help_panel="Model")
    ] = False,
    image_size: SizeOption = None,
    labels: LabelsOption = None,
    precision: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing(*PRECISIONS), help=PRECISION_HELP, rich_help_panel="Precision"
        ),
    ] = None,
    calibration_data: CalibrationDataOption = None,
    calibration_samples: CalibrationSamplesOption = DEFAULT_SAMPLES,
    max_accuracy_drop: MaxAccuracyDropOption = None,
    keep_float: KeepFloatOption = None,
    target: TargetOption = "any",
    fft: FftOption = "auto",
    device: Annotated[
        str,
        typer.Option(
            help="Device that --fft measure and --precision auto time on, or that --repair is "
            "for: a name, user@host."
        ),
    ] = "host",
    dynamic: DynamicOption = None,
    complex_as: ComplexOption = "pair",
    head: Annotated[
        Head | None,
        typer.Option(
            help="softmax: probabilities (tflite's default for classifiers); classifier: by class "
            "name, of a picture (coreml); argmax: the class of each pixel; anchors: boxes as "
            "MediaPipe decodes them (tflite's default for detectors); nms: the best boxes (onnx, "
            "coreml); detector: by class name, of a picture (coreml); logits: the "
            "network's own outputs.",
            rich_help_panel="File",
        ),
    ] = None,
    layout: Annotated[
        Layout | None,
        typer.Option(
            case_sensitive=False,
            help="Of the input; default: NHWC for tflite, else NCHW.",
            rich_help_panel="File",
        ),
    ] = None,
    preprocess: Annotated[
        Preprocess,
        typer.Option(
            help="spec: pictures are resized, cut and scaled outside, as the manifest says; graph: "
            "by the file (onnx, tflite).",
            rich_help_panel="File",
        ),
    ] = "spec",
    input_size: Annotated[
        str | None,
        typer.Option(
            metavar="HxW",
            help="Of the 8-bit pictures that a file with --preprocess graph takes.",
            rich_help_panel="File",
        ),
    ] = None,
    io_type: Annotated[
        IoType,
        typer.Option(help="Of an int8 file's input and outputs (tflite).", rich_help_panel="File"),
    ] = "float32",
    image_input: Annotated[
        bool,
        typer.Option("--image-input", help="Take 8-bit images (coreml).", rich_help_panel="File"),
    ] = False,
    deployment_target: Annotated[
        str | None,
        typer.Option(
            help="Oldest system to run on (coreml); default: iOS16.", rich_help_panel="File"
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = Path(),
    verify: Annotated[
        bool, typer.Option(help="Run the file and compare it.", rich_help_panel="Verification")
    ] = True,
    verify_on: VerifyOnOption = None,
    prove_on: ProveOnOption = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Write operators that --device computes wrongly in another exact form.",
            rich_help_panel="Verification",
        ),
    ] = False,
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Turn a network into a file that a runtime executes, and prove it by running it.

    Example: affnet export checkpoint_ema_best.pt --config config.yaml --format onnx
    """
    request = ExportRequest(
        source=source,
        format=format_,
        output=str(output),
        variant=variant,
        config=_text(config),
        weights=_text(weights),
        activation=activation,
        attn_norm=attn_norm,
        ema=ema,
        image_size=parse_size(image_size),
        labels=_text(labels),
        precision=precision,
        calibration_data=calibration_data,
        calibration_samples=calibration_samples,
        max_accuracy_drop=max_accuracy_drop,
        keep_float=tuple(keep_float or ()),
        target=target,
        fft=fft,
        device=device,
        dynamic=dynamic,
        complex_as=complex_as,
        head=head,
        layout=layout,
        preprocess=preprocess,
        input_size=parse_size(input_size, "--input-size"),
        io_type=io_type,
        image_input=image_input,
        deployment_target=deployment_target,
        verify=verify,
        verify_on=_text(verify_on),
        prove_on=prove_on,
        repair=repair,
    )
    from affnet.model.source_file import check_source_file

    check_combination(request)
    check_source_file(request.source)
    if request.is_several:
        _export_several(request, exporter(context, cluster, insecure, quiet), json, quiet)
        return
    if is_on_command_line(context, "cluster"):
        raise UsageError(
            "--cluster exports several files at once, and this is one",
            "drop it, or name several formats or precisions.",
        )
    _export_one(request, json, quiet)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _export_one(request: ExportRequest, json: bool, quiet: bool) -> None:
    """Export to one format and print its report."""
    with console.progress(quiet, animated=not request.timed) as show:
        show(f"Loading {request.source}")  # and, before it, torch
        from affnet.bench.measurement.timer import open_timer
        from affnet.errors import AccuracyError
        from affnet.export.reporting.export import print_attempts, print_report
        from affnet.export.run import run
        from affnet.project.last_export import remember_exports

        failed = None
        try:
            report = run(request, open_timer, show)
        except AccuracyError as error:
            failed = error
    if failed is not None:  # printed once the progress line is gone
        print_attempts(failed, json)
        raise failed
    if report.artifact is not None:
        remember_exports([report.artifact.path])
    print_report(report, json, quiet)


def _export_several(request: ExportRequest, run: ExportAll, json: bool, quiet: bool) -> None:
    """Export to several formats or precisions, and end with one table."""
    from affnet.export import all_formats

    requests, lacking = all_formats.requests_of(request)
    for sentence in lacking:
        console.note(sentence, quiet)
    with console.progress(quiet) as show:
        outcomes = run(requests, show)
    raise typer.Exit(show_outcomes(outcomes, json, quiet))
