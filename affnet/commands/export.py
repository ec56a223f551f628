"""``affnet export``."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from affnet import console
from affnet.commands.export_auto import choose, print_choice, showing_attempts
from affnet.commands.options import (
    ConfigOption,
    JsonOption,
    LabelsOption,
    QuietOption,
    SizeOption,
    VerifyOnOption,
    WeightsOption,
    parse_size,
)
from affnet.errors import UsageError
from affnet.export.quantization import AUTO, CALIBRATED, LOSSY
from affnet.export.replaced import replacement, sources_in

if TYPE_CHECKING:
    from affnet.artifact import Artifact, Provenance
    from affnet.export.request import ExportOptions
    from affnet.export.verification.inputs import VerificationInput
    from affnet.model.source import Source

FORMAT_HELP = (
    "onnx, coreml, tflite, executorch, torch, several of them (onnx,coreml), or all that are "
    "installed."
)
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
DEFAULT_SAMPLES = 200

CalibrationDataOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|bundled",
        help="Images that ranges come from and few bits are judged by: one folder per class.",
    ),
]
CalibrationSamplesOption = Annotated[
    int, typer.Option(metavar="N", help="How many of them at most.")
]
MaxAccuracyDropOption = Annotated[
    float | None,
    typer.Option(
        metavar="POINTS",
        help="Of top-1, that few bits may cost on the calibration images; default: 1 if trained.",
    ),
]
FftOption = Annotated[
    str,
    typer.Option(
        "--fft",
        help="auto (predict the fastest plan), measure (time them), native (keep FFT "
        "operators), or a plan that affnet plan shows.",
    ),
]


def export(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help=SOURCE_HELP)] = "",
    format_: Annotated[str, typer.Option("--format", "-f", help=FORMAT_HELP)] = "onnx",
    variant: Annotated[str | None, typer.Option(help="The variant it must be.")] = None,
    config: ConfigOption = None,
    weights: WeightsOption = None,
    activation: Annotated[str | None, typer.Option(help="Overrides the config.")] = None,
    attn_norm: Annotated[str | None, typer.Option(help="Overrides the config.")] = None,
    ema: Annotated[bool, typer.Option("--ema", help="Take the EMA weights.")] = False,
    image_size: SizeOption = None,
    labels: LabelsOption = None,
    precision: Annotated[str | None, typer.Option(help=PRECISION_HELP)] = None,
    calibration_data: CalibrationDataOption = None,
    calibration_samples: CalibrationSamplesOption = DEFAULT_SAMPLES,
    max_accuracy_drop: MaxAccuracyDropOption = None,
    fft: FftOption = "auto",
    device: Annotated[
        str, typer.Option(help="Where --fft measure and --precision auto time: a name, user@host.")
    ] = "host",
    dynamic_batch: Annotated[
        bool, typer.Option("--dynamic-batch", help="Leave the batch size open.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(help="argmax: the class of each pixel; nms: the best boxes (onnx, coreml)."),
    ] = None,
    layout: Annotated[str | None, typer.Option(help="Of the input: NCHW or NHWC.")] = None,
    image_input: Annotated[
        bool, typer.Option("--image-input", help="Take 8-bit images (coreml).")
    ] = False,
    deployment_target: Annotated[
        str | None, typer.Option(help="Oldest system to run on (coreml); default: iOS16.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = Path(),
    verify: Annotated[bool, typer.Option(help="Run the file and compare it.")] = True,
    verify_on: VerifyOnOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Turn a network into a file that a runtime executes, and prove it by running it.

    Example: affnet export checkpoint_ema_best.pt --config config.yaml --format onnx
    """
    timed = _timed(fft, precision)
    _check_combination(precision, max_accuracy_drop, calibration_data, device, timed)
    if format_ == "all" or "," in f"{format_}{precision}":
        _export_all(context, source, timed, json, quiet)
    settings = {"config": config, "activation": activation, "attn_norm": attn_norm, "ema": ema}
    settings["labels"] = labels
    with showing_attempts(json), console.progress(quiet, animated=not timed) as show:
        show(f"Loading {source}")
        started = time.perf_counter()
        from affnet.export.autotuning.accuracy_bound import export_bounded
        from affnet.export.reporting.artifact import export_record, parity_fields
        from affnet.export.request import ExportOptions
        from affnet.model.source import load_source

        size = parse_size(image_size)
        loaded = load_source(source, variant=variant, image_size=size, weights=weights, **settings)  # type: ignore[arg-type]
        chosen = ExportOptions(
            format=format_,
            image_size=size,
            precision=precision,
            fft=fft,
            dynamic_batch=dynamic_batch,
            head=head,
            layout=layout.upper() if layout else None,
            image_input=image_input,
            deployment_target=deployment_target,
            verify=verify,
            verify_on=_inputs_to_verify_on(verify_on, verify, loaded, size),
            max_accuracy_drop=max_accuracy_drop,
        )
        if precision in (*CALIBRATED, AUTO) or max_accuracy_drop is not None or calibration_data:
            chosen = _calibrated(loaded, chosen, calibration_data, calibration_samples, show)
        if fft == "measure":
            chosen = _with_measured_costs(loaded, chosen, device, show)
        before = sources_in(output)
        if precision == AUTO:
            choice, untimed = choose(loaded, chosen, device, output, show)
        else:
            artifact = export_bounded(loaded, chosen, output, show)
    made = choice.artifact if precision == AUTO else artifact
    _print_notes(loaded, chosen, before, made, quiet)
    if precision == AUTO:
        if untimed:
            console.note(f"The smallest file is taken: {untimed}", quiet)
        print_choice(choice, started, json)
        return
    if json:
        console.print_json(export_record(artifact, time.perf_counter() - started))
    else:
        console.print_fields(parity_fields(artifact, artifact.manifest.parity))


def _print_notes(
    source: Source,
    options: ExportOptions,
    before: Mapping[Path, Provenance],
    artifact: Artifact | None,
    quiet: bool,
) -> None:
    """Say what the user should know of the export, ``before`` being what the folder held."""
    notes = [*source.notes, *(options.calibration.notes() if options.calibration else ())]
    if artifact and (replaced := replacement(before, artifact)):
        notes.append(replaced)
    for sentence in notes:
        console.note(sentence, quiet)


def _inputs_to_verify_on(
    path: Path | None, verify: bool, source: Source, size: tuple[int, int] | None
) -> tuple[VerificationInput, ...]:
    if path is None:
        return ()
    if not verify:
        raise UsageError("--verify-on contradicts --no-verify; drop one of them.")
    from affnet.artifact import image_spec
    from affnet.export.verification.user_inputs import read_inputs

    return tuple(read_inputs(path, image_spec(*size) if size else source.input))


def _asked(precision: str | None) -> set[str]:
    return set((precision or "").split(","))


def _timed(fft: str, precision: str | None) -> list[str]:
    """Return the options that have files timed."""
    measured = [f"--fft {fft}"] if fft == "measure" else []
    return measured + ([f"--precision {precision}"] if AUTO in _asked(precision) else [])


def _check_combination(
    precision: str | None, max_drop: float | None, data: str | None, device: str, timed: list[str]
) -> None:
    """Refuse options that say how to do what is not asked for."""
    for option, value in (("--max-accuracy-drop", max_drop), ("--calibration-data", data)):
        if value is not None and _asked(precision).isdisjoint((*LOSSY, AUTO)):
            raise UsageError(
                f"{option} is for precisions that cost accuracy; add --precision "
                f"{', '.join(LOSSY)} or {AUTO}."
            )
    if max_drop is not None and not 0 <= max_drop <= 100:  # not a number, too
        raise UsageError(f"--max-accuracy-drop must be 0 to 100 points, not {max_drop:g}.")
    if device != "host" and not timed:
        raise UsageError(
            "--device says where files are timed; add --fft measure or --precision auto."
        )


def _calibrated(
    source: Source,
    options: ExportOptions,
    data: str | None,
    samples: int,
    show: Callable[[str], None],
) -> ExportOptions:
    from affnet.export.autotuning.accuracy_bound import DEFAULT_MAX_DROP
    from affnet.export.quantization.calibration import load_calibration

    calibration = load_calibration(source, data, samples, options.image_size, show)
    bound = options.max_accuracy_drop
    trained = source.provenance.weights == "trained" and options.verify
    if bound is None and (options.precision == AUTO or trained):
        bound = DEFAULT_MAX_DROP if source.task == "classification" else None
    return dataclasses.replace(options, calibration=calibration, max_accuracy_drop=bound)


def _with_measured_costs(
    source: Source, options: ExportOptions, device: str, show: Callable[[str], None]
) -> ExportOptions:
    """Time the plans for the network's maps on ``device``, or recall what was timed before."""
    from affnet.bench.measurement.timer import open_timer
    from affnet.export.autotuning.plan_cache import Wisdom
    from affnet.export.autotuning.plan_timing import MeasuredCosts, measure_plans
    from affnet.export.fourier.planner import filter_maps
    from affnet.export.request import check_request
    from affnet.runtimes import runtime_for

    precision = None if options.precision == AUTO else options.precision  # one stands for all
    asked = dataclasses.replace(options, precision=precision, costs=MeasuredCosts({}))
    check_request(source, asked)
    shape = source.input.static_shape()
    if options.image_size is not None:
        shape = (*shape[:2], *options.image_size)
    sizes = filter_maps(source.model, shape).values()
    with open_timer(device, runtime_for(options.format).name, progress=show) as timer:
        costs = measure_plans(sizes, options.format, timer, Wisdom(), show, precision)
    return dataclasses.replace(options, costs=costs)


def _export_all(
    context: typer.Context, source: str, timed: list[str], json: bool, quiet: bool
) -> NoReturn:
    """Export to several formats or precisions, and end with one table."""
    if timed:
        raise UsageError(
            f"{timed[0]} times files, which the processes of several formats would disturb; "
            "export one format at a time."
        )
    from affnet.export import all_formats
    from affnet.export.reporting import artifact as report

    formats, lacking = all_formats.chosen_formats(context.params["format_"])
    for sentence in lacking:
        console.note(sentence, quiet)
    left_out = ("source", "format_", "precision", "json", "quiet")
    outcomes = []
    with console.progress(quiet) as show:
        for precision, names in all_formats.by_precision(formats, context.params["precision"]):
            lossy = precision in (*LOSSY, None)
            calibrating = () if lossy else ("calibration_data", "max_accuracy_drop")
            arguments = [source, *console.forwarded(context, but=(*left_out, *calibrating))]
            arguments += ["--precision", precision] if precision else []
            outcomes += all_formats.export_all(names, arguments, show)
    if json:
        console.print_json({"results": report.outcome_records(outcomes)})
    else:
        console.print_table(report.outcome_table(outcomes))
    raise typer.Exit(1 if any(outcome.exit_code for outcome in outcomes) else 0)
