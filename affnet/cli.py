"""The command line: parse, call, print.  Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from affnet import __version__, cli_devices, console
from affnet.errors import AffnetError, UsageError

if TYPE_CHECKING:
    from affnet.model.source import Source

app = typer.Typer(
    name="affnet",
    help="Export, verify and measure vision networks with Fourier token mixers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(cli_devices.app, name="devices")

FORMAT_HELP = "onnx, coreml, tflite, executorch, torch, or all that are installed."
SOURCE_HELP = (
    "A checkpoint, a name (affnet_et, affnet_t, affnet, mobilevit_xxs|xs|s, digits), or a network "
    "of your own: a torch.export program (.pt2) or module:function."
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]
SizeOption = Annotated[
    str | None, typer.Option("--image-size", metavar="HxW", help="Default: the source's own.")
]
FftOption = Annotated[
    str, typer.Option("--fft", help="auto, native (keep FFT operators), separable, right or dense.")
]
DevicesFileOption = Annotated[
    Path | None, typer.Option("--devices-file", help="Instead of ~/.config/affnet/devices.toml.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Training config (YAML) of a checkpoint.")
]


def _show_version(asked: bool) -> None:
    if asked:
        print(f"affnet {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show it."),
    ] = False,
    debug: Annotated[bool, typer.Option(help="Show tracebacks of errors.")] = False,
) -> None:
    """Export, verify and measure vision networks with Fourier token mixers."""
    console.debug = debug


@app.command()
def export(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help=SOURCE_HELP)],
    format_: Annotated[str, typer.Option("--format", "-f", help=FORMAT_HELP)] = "onnx",
    variant: Annotated[str | None, typer.Option(help="The variant it must be.")] = None,
    config: ConfigOption = None,
    activation: Annotated[str | None, typer.Option(help="Overrides the config.")] = None,
    attn_norm: Annotated[str | None, typer.Option(help="Overrides the config.")] = None,
    ema: Annotated[bool, typer.Option("--ema", help="Take the EMA weights.")] = False,
    image_size: SizeOption = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or fp16.")] = None,
    fft: FftOption = "auto",
    dynamic_batch: Annotated[
        bool, typer.Option("--dynamic-batch", help="Leave the batch size open.")
    ] = False,
    layout: Annotated[str | None, typer.Option(help="Of the input: NCHW or NHWC.")] = None,
    image_input: Annotated[
        bool, typer.Option("--image-input", help="Take 8-bit images (coreml).")
    ] = False,
    deployment_target: Annotated[
        str | None, typer.Option(help="Oldest system to run on (coreml); default: iOS16.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = Path(),
    verify: Annotated[bool, typer.Option(help="Run the file and compare it.")] = True,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Turn a network into a file that a runtime executes, and prove it by running it.

    Example: affnet export checkpoint_ema_best.pt --config config.yaml --format onnx
    """
    if format_ == "all":
        _export_all(context, source, json, quiet)
    options = {"config": config, "activation": activation, "attn_norm": attn_norm, "ema": ema}
    with console.progress(quiet) as show:
        show(f"Loading {source}")
        started = time.perf_counter()
        from affnet.export.pipeline import ExportOptions, export_artifact
        from affnet.export.report import export_record, parity_fields
        from affnet.model.source import load_source

        loaded = load_source(source, variant=variant, **options)  # type: ignore[arg-type]
        chosen = ExportOptions(
            format=format_,
            image_size=_parse_size(image_size),
            precision=precision,
            fft=fft,
            dynamic_batch=dynamic_batch,
            layout=layout.upper() if layout else None,
            image_input=image_input,
            deployment_target=deployment_target,
            verify=verify,
        )
        artifact = export_artifact(loaded, chosen, output, show)
    _show_notes(loaded, quiet)
    parity = artifact.manifest.parity
    if json:
        console.print_json(export_record(artifact, time.perf_counter() - started))
    else:
        console.print_fields(parity_fields(artifact, parity))


def _export_all(context: typer.Context, source: str, json: bool, quiet: bool) -> NoReturn:
    """Export to every installed format, and end with one table."""
    from affnet.export import all_formats, report

    formats, lacking = all_formats.installed_formats()
    for sentence in lacking:
        console.note(sentence, quiet)
    arguments = [source, *console.forwarded(context, but=("source", "format_", "json", "quiet"))]
    with console.progress(quiet) as show:
        outcomes = all_formats.export_all(formats, arguments, show)
    if json:
        console.print_json({"results": report.outcome_records(outcomes)})
    else:
        console.print_table(report.outcome_table(outcomes))
    raise typer.Exit(1 if any(outcome.exit_code for outcome in outcomes) else 0)


@app.command()
def verify(
    artifact: Annotated[
        Path, typer.Argument(help="A file that export made, or with --against any other.")
    ],
    against: Annotated[
        str | None, typer.Option(help="The source; default: the one it was exported from.")
    ] = None,
    config: ConfigOption = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Also on all held-out images (digits only).")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a file and compare its outputs with PyTorch's; exit code 1 if they disagree.

    Example: affnet verify digits.onnx --held-out
    A file of another tool: affnet verify their.mlpackage --against my.pt2
    """
    with console.progress(quiet) as show:
        show(f"Running {artifact} and comparing it with PyTorch")
        from affnet.export import report, verification
        from affnet.export.subjects import open_subject

        subject, opened, source = open_subject(artifact, against, config)
        parity = verification.verify_against(subject, source)
        agreement = verification.verify_held_out(subject, source) if held_out else None
    if json:
        verdict = report.verdict_record(subject, parity)
        record = report.parity_record(opened, parity) if opened else verdict
        if agreement:
            record["held_out"] = report.held_out_record(agreement)
        console.print_json(record)
    else:
        verdict = report.verdict_fields(subject, parity)
        fields = report.parity_fields(opened, parity) if opened else verdict
        console.print_fields(fields | (report.held_out_fields(agreement) if agreement else {}))
    if not parity.passed or (agreement and agreement.agreeing < agreement.images):
        raise typer.Exit(1)


@app.command()
def inspect(
    artifact: Annotated[Path, typer.Argument(help="A file that export made.")],
    json: JsonOption = False,
) -> None:
    """Show what an artifact holds: operators, size, inputs, FFT plan, precision, weights.

    Example: affnet inspect affnet_et.onnx --json
    """
    from affnet.artifact import Artifact
    from affnet.export.report import inspection_fields, inspection_record

    record = inspection_record(Artifact.open(artifact))
    if json:
        console.print_json(record)
    else:
        console.print_fields(inspection_fields(record))


@app.command()
def bench(
    models: Annotated[list[str], typer.Argument(help="Artifacts, or sources to export first.")],
    against: Annotated[
        list[str] | None, typer.Option(help="A peer to measure in turns; the first one divides.")
    ] = None,
    device: Annotated[str, typer.Option(help="A name, user@host or several: host,rpi.")] = "host",
    devices_file: DevicesFileOption = None,
    install: Annotated[
        bool, typer.Option("--install", help="Install what is missing on a board, in a venv there.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    runtime: Annotated[
        str, typer.Option(help="onnxruntime, litert, executorch, coreml (on a Mac) or torch.")
    ] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1)] = 1,
    preset: Annotated[
        str, typer.Option(help="default, quick, benchmark_model (50 runs) or mlperf.")
    ] = "default",
    image_size: SizeOption = None,
    fft: FftOption = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write here: .json, .md or .csv.")
    ] = None,
    json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Measure latency, memory and load time, each model in a fresh process, in turns.

    Example: affnet bench affnet_et --against mobilevit_xxs --threads 1
    """
    from affnet.bench import dry_run as plan
    from affnet.bench import output as bench_output
    from affnet.bench.measure import label_jobs
    from affnet.bench.protocol import get_protocol
    from affnet.bench.sweep import sweep
    from affnet.devices.catalog import open_devices
    from affnet.export.prepare import open_or_export
    from affnet.runtimes import get_runtime

    form = bench_output.choose(json=json, markdown=markdown, csv=csv)
    if output is not None:
        bench_output.check_target(output)
    protocol, engine = get_protocol(preset), get_runtime(runtime)
    places = open_devices(device, devices_file, **({"install": True} if install else {}))
    names = list(dict.fromkeys([*models, *(against or [])]))
    if dry_run:
        plan.show({p.name: plan.steps(names, p, runtime, threads, protocol) for p in places}, json)
        return
    if len(places) == 1:  # missing? say so before anything is exported
        places[0].check_runtime(runtime)
    with (
        tempfile.TemporaryDirectory(prefix="affnet-bench-") as scratch,
        console.progress(quiet, animated=False, lines=[p.name for p in places]) as show,
    ):
        size = _parse_size(image_size)
        folder = Path(scratch)
        artifacts = [open_or_export(n, engine.format, size, fft, folder, show) for n in names]
        jobs = label_jobs(artifacts, runtime)
        outcomes = sweep(jobs, places, protocol, threads=threads, progress=show)
    peer = jobs[names.index(against[0])].label if against else None
    raise typer.Exit(bench_output.deliver(outcomes, peer, form, output))


def _parse_size(text: str | None) -> tuple[int, int] | None:
    """Parse ``HxW``, or one number for both sides."""
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise UsageError(f"--image-size {text!r} is not HxW, such as 256x256 or 192x320.")
    return int(sides[0]), int(sides[-1])


def _show_notes(source: Source, quiet: bool) -> None:
    for text in source.notes:
        console.note(text, quiet)


def _stop(signal_number: int, _: object) -> NoReturn:
    """End the command by an exception, so that temporary files are removed on the way out."""
    print("Stopped; what stood in the output folder before is untouched.", file=sys.stderr)
    raise SystemExit(128 + signal_number)


def main() -> None:
    """Run the command line; turn every expected error into one sentence and its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        app()
    except AffnetError as error:
        if console.debug:
            raise
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
