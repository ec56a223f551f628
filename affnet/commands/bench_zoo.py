"""``affnet bench zoo``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.options import (
    RUNTIME_NAMES,
    ClusterOption,
    DevicesFileOption,
    InsecureOption,
    JsonOption,
    NoCacheOption,
    Preset,
    QuietOption,
    RuntimeName,
    StoreOption,
)
from affnet.errors import AffnetError, ConversionError, UsageError, VerificationError
from affnet.files import scratch_folder
from affnet.names import split_names

if TYPE_CHECKING:
    from affnet.artifact import Artifact
    from affnet.bench.results.result import Result


def bench_zoo(
    context: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only these networks, such as affnet_et,mobilevit_xxs. Default: all."),
    ] = None,
    against: Annotated[
        str, typer.Option(help="Reference model for the latency ratios.")
    ] = "mobilevit_xxs",
    device: Annotated[str, typer.Option(help="A name or user@host.")] = "host",
    devices_file: DevicesFileOption = None,
    runtime: Annotated[
        RuntimeName | None,
        typer.Option(
            metavar="RUNTIME",
            help=f"{RUNTIME_NAMES}; default: the first that the device is at home in; coreml on a "
            "Mac.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    preset: Annotated[Preset, typer.Option(help="How long to measure.")] = "quick",
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write here: .json, .md, .csv; add to .jsonl."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw accuracy (quoted) over latency: .png, .svg.")
    ] = None,
    store: StoreOption = None,
    _no_cache: NoCacheOption = False,
    json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Measure every AFFNet variant and every peer on one device, in turns.

    They are measured in groups, the network that divides in each of them.

    Example: affnet bench zoo --runtime litert --output zoo.md --plot zoo.png
    """
    from affnet.bench.measurement.groups import measure_in_groups
    from affnet.bench.measurement.interleaved import label_jobs
    from affnet.bench.measurement.protocol import get_protocol
    from affnet.bench.reporting import output as bench_output
    from affnet.bench.results.outcome import DeviceOutcome
    from affnet.bench.store.recorder import open_recorder
    from affnet.commands.bench_places import open_places
    from affnet.model.zoo import choose
    from affnet.runtimes import get_runtime

    form = bench_output.choose(json=json, markdown=markdown, csv=csv)
    if output is not None:
        bench_output.check_target(output)
    if plot is not None:
        bench_output.check_picture(plot)
    protocol, names = get_protocol(preset), choose(_named(only or ()), against)
    where = open_places(context, device, devices_file, {}, cluster, insecure, False, quiet)
    place = where.only("The zoo is measured")
    engine = get_runtime(runtime or place.capabilities.home_runtimes[0])
    place.check_runtime(engine.name)
    with (
        scratch_folder() as scratch,
        console.progress(quiet, animated=False) as show,
        open_recorder(store) as recorder,
    ):
        artifacts, refused = _export(names, engine.format, scratch, show)
        recorder.peer = against
        outcomes = measure_in_groups(
            label_jobs(artifacts, engine.name),
            functools.partial(
                where.measure_batches,
                protocol=protocol,
                command="bench zoo",
                threads=threads,
                progress=show,
                recorder=recorder,
            ),
            show,
        )
        recorder.keep_failures(outcomes)
    outcomes += [DeviceOutcome(place.name, error=error) for error in refused]

    def draw(results: Sequence[Result]) -> None:
        if plot is not None:
            from affnet.bench.reporting.accuracy_chart import write_chart

            write_chart(results, plot)

    code = bench_output.emit(outcomes, None, form, output, draw)  # ratios are in them already
    raise typer.Exit(code or recorder.exit_code)


def _named(only: Sequence[str]) -> list[str]:
    names = split_names(*only)
    if only and not names:
        raise UsageError("--only names no network.")
    return names


def _export(
    names: Sequence[str], format_: str, folder: Path, show: Callable[[str], None]
) -> tuple[list[Artifact], list[AffnetError]]:
    """Export all that the format can hold; of the others return why.  The first must be held."""
    from affnet.export.open_or_export import open_or_export

    artifacts: list[Artifact] = []
    refused: list[AffnetError] = []
    for name in names:
        try:
            artifacts.append(open_or_export(name, format_, None, "auto", folder, show))
        except (ConversionError, VerificationError) as error:
            if not artifacts:
                raise
            show(f"Left out: {error}")
            refused.append(error)
    return artifacts, refused
